/** The comparison itself: queries to four servers, their replies side by side, differences looked up. */
import { RCODE_CODES, typeName } from '../../src/wire/codec.ts';
import type { TcpAsker, UdpAsker } from './asking.ts';
import type { Chance } from './chance.ts';
import { DIFFERENCES } from './differences.ts';
import { type Answered, compare, type Exchange, type Facts, isSame, limitOf } from './exchange.ts';
import { decodeReply, type Reply } from './message.ts';
import { type Damage, decidedRcode, makeQuery, type Query, queryBytes, type Subject } from './queries.ts';
import { SERVER_NAMES, type ServerName } from './servers.ts';

export interface Asker {
  readonly udp: UdpAsker;
  readonly tcp: TcpAsker;
}

export interface Run {
  readonly count: number;
  readonly chance: Chance;
  readonly subjects: readonly Subject[];
  readonly facts: Facts;
  readonly daemon: Asker;
  readonly servers: ReadonlyMap<ServerName, Asker>;
}

export interface Result {
  /** Queries that were compared once more over TCP. */
  repeated: number;
  /** How often each difference accounted for a field. */
  readonly seen: Map<string, number>;
  /** What was not accounted for, told in full; the first few. */
  readonly faults: string[];
}

const BATCH = 2000;
/** A fault is rarely alone. */
const MOST_FAULTS = 10;

export async function run(options: Run): Promise<Result> {
  const result: Result = { repeated: 0, seen: new Map(), faults: [] };
  for (let left = options.count; left > 0 && result.faults.length < MOST_FAULTS; left -= BATCH) {
    const queries = Array.from({ length: Math.min(BATCH, left) }, () =>
      makeQuery(options.chance, options.chance.pick(options.subjects)),
    );
    const replies = await askAll(options, queries);
    const again = replies.filter(
      ({ query, all }) => !query.overTcp && all.some((reply) => isShortened(query, reply, all[0])),
    );
    const wholes = await askAll(
      options,
      again.map(({ query }) => ({ ...query, overTcp: true })),
    );
    result.repeated += wholes.length;
    const wholeOf = new Map(again.map((asked, i) => [asked, wholes[i] as Asked]));
    for (const asked of replies) judge(asked, wholeOf.get(asked) ?? null, options.facts, result);
    for (const asked of wholes) judge(asked, null, options.facts, result);
  }
  return result;
}

interface Asked {
  readonly query: Query;
  /** Ours first, then those of SERVER_NAMES. */
  readonly all: readonly (Reply | null)[];
}

async function askAll({ daemon, servers }: Run, queries: readonly Query[]): Promise<Asked[]> {
  const messages = queries.map(queryBytes);
  const askers = [daemon, ...SERVER_NAMES.map((name) => servers.get(name) as Asker)];
  const replies = await Promise.all(askers.map((asker) => askOne(asker, queries, messages)));
  return queries.map((query, i) => ({ query, all: replies.map((list) => list[i] as Reply | null) }));
}

async function askOne(
  { udp, tcp }: Asker,
  queries: readonly Query[],
  messages: readonly Uint8Array[],
): Promise<(Reply | null)[]> {
  const replies: (Reply | null)[] = queries.map(() => null);
  const ask = async (asker: UdpAsker | TcpAsker, overTcp: boolean): Promise<void> => {
    const chosen = queries.flatMap((query, i) => (query.overTcp === overTcp ? [i] : []));
    const received = await asker.ask(chosen.map((i) => messages[i] as Uint8Array));
    received.forEach((reply, at) => {
      const i = chosen[at] as number;
      replies[i] = reply === null ? null : decode(reply, queries[i] as Query);
    });
  };
  await Promise.all([ask(udp, false), ask(tcp, true)]);
  return replies;
}

function decode(reply: Buffer, query: Query): Reply {
  try {
    return decodeReply(reply);
  } catch (error) {
    throw new Error(`a broken reply to ${tell(query)}: ${reply.toString('hex')}`, { cause: error });
  }
}

/** Whether a reply leaves out what TCP would bring, or may do so. */
function isShortened(query: Query, reply: Reply | null, ours: Reply | null | undefined): boolean {
  if (reply === null || ours === null || ours === undefined) return false;
  if (reply.tc || reply.additional.length < ours.additional.length) return true;
  return !isSame(reply.additional, ours.additional) && 2 * reply.octets > limitOf(query);
}

function judge({ query, all }: Asked, whole: Asked | null, facts: Facts, result: Result): void {
  const [ours = null, ...others] = all;
  const told = (fault: string, theirs: Reply | null = null): void => {
    if (result.faults.length < MOST_FAULTS) {
      result.faults.push([fault, tell(query), `cloudmapd: ${show(ours)}`, `  theirs: ${show(theirs)}`].join('\n'));
    }
  };
  const fault = faultOf(query, ours);
  if (fault !== null) told(fault);
  SERVER_NAMES.forEach((server, i) => {
    const theirs = others[i] ?? null;
    const exchange: Exchange = { query, server, ours, theirs, facts };
    const wholes = { oursWhole: whole?.all[0] ?? ours, theirsWhole: whole?.all[i + 1] ?? theirs };
    for (const field of compare(ours, theirs)) {
      const difference = DIFFERENCES.find(
        (one) =>
          one.servers.includes(server) &&
          (field === 'reply'
            ? theirs === null && one.silences?.(exchange)
            : one.fields.includes(field) && one.applies({ ...exchange, ...wholes } as Answered)),
      );
      if (difference === undefined) told(`${server}: another ${field}`, theirs);
      else result.seen.set(difference.name, (result.seen.get(difference.name) ?? 0) + 1);
    }
  });
}

/** What must hold of our reply whatever others say, or null. */
function faultOf(query: Query, ours: Reply | null): string | null {
  const decided = decidedRcode(query);
  if (decided === 'drop' || ours === null) return (ours === null) === (decided === 'drop') ? null : 'a reply, or none';
  if (ours.octets > limitOf(query)) return `a reply of ${ours.octets} octets`;
  const sections = [ours.answer, ours.authority, ours.additional];
  if (sections.some((section) => new Set(section).size < section.length)) return 'a record twice';
  if (ours.ra || ours.z || ours.ad || ours.rd !== ((query.flags & FLAG_RD) !== 0)) return 'flags';
  if (hasReadableOpt(query) === (ours.opt === null)) return 'an OPT, or none (RFC 6891 s6.1.1)';
  if (ours.opt?.options.some((option) => option !== EXTENDED_ERROR)) return 'an option that nobody asked for';
  if (decided === null) return null;
  const isBare = !ours.aa && !ours.tc && sections.every(({ length }) => length === 0);
  return ours.rcode === decided && isBare ? null : `not the RCODE ${decided} alone`;
}

const FLAG_RD = 0x0100;

const EXTENDED_ERROR = 15;

/** Whether the reply has to have an OPT; null: the message can be read in more than one way. */
function hasReadableOpt({ edns, damage }: Query): boolean | null {
  if (damage === 'question not counted') return null;
  return edns !== null && !UNREADABLE.includes(damage);
}

const UNREADABLE: readonly (Damage | null)[] = ['cut question', 'pointer', 'label type', 'long name', 'OPT owner'];

/** As for dig where dig could send it, and in full. */
function tell(query: Query): string {
  const { zone, labels, qtype, qclass, edns, overTcp, opcode, flags, damage, extra } = query;
  const name = labels
    .map((label) =>
      Buffer.from(label)
        .toString('latin1')
        .replace(/[^\w-]/g, escaped),
    )
    .join('.');
  const more = [
    overTcp ? '+tcp' : '+notcp',
    `+opcode=${opcode}`,
    `flags ${flags.toString(16)}`,
    edns === null ? '+noedns' : `+edns=${edns.version} +bufsize=${edns.size} +ednsflags=${edns.flags}`,
    ...(edns?.options ?? []).map(({ code, data }) => `+ednsopt=${code}:${Buffer.from(data).toString('hex')}`),
    ...(damage === null ? [] : [`damage: ${damage}`]),
    ...(extra === null ? [] : [`record: ${extra}`]),
  ];
  const packet = Buffer.from(queryBytes(query)).toString('hex');
  return `zone ${zone}: dig ${name}. ${typeName(qtype)} CLASS${qclass} ${more.join(' ')}\n  packet ${packet}`;
}

function escaped(char: string): string {
  return `\\${String(char.charCodeAt(0)).padStart(3, '0')}`;
}

function show(reply: Reply | null): string {
  if (reply === null) return 'no reply';
  const rcode = Object.entries(RCODE_CODES).find(([, code]) => code === reply.rcode)?.[0] ?? reply.rcode;
  const flags = (['aa', 'tc', 'rd', 'ra', 'z', 'ad', 'cd'] as const).filter((flag) => reply[flag]);
  const sections = (['answer', 'authority', 'additional'] as const).flatMap((section) =>
    reply[section].map((record) => `\n    ${section}: ${record}`),
  );
  const opt = reply.opt === null ? 'no OPT' : `OPT ${JSON.stringify(reply.opt)}`;
  return `${rcode} ${flags.join(' ')}, ${reply.octets} octets, question ${reply.question}, ${opt}${sections.join('')}`;
}
