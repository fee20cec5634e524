/**
 * What a client sees, and how soon, when an upstream misbehaves: each way alone, and beside an upstream that is good.
 * All of them stand behind one daemon, each under a rule of its own.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../support/daemon.ts';
import { type Behaviour, FakeUpstream, NEVER, questionOf, replyTo } from '../support/fake-upstream.ts';
import { ask, errorCodeOf } from '../support/forwarding.ts';
import { ownAddress } from '../support/listeners.ts';

const RIGHT = '192.0.2.1';
const FORGED = '203.0.113.66';
const right = (query: Uint8Array): Buffer => replyTo(query, { answer: [`@ 30 IN A ${RIGHT}`] });
const forged = (query: Uint8Array): Buffer => replyTo(query, { answer: [`@ 30 IN A ${FORGED}`] });

function withWord(message: Buffer, at: number, value: number): Buffer {
  const out = Buffer.from(message);
  out.writeUInt16BE(value, at);
  return out;
}
const withId = (message: Buffer, id: number): Buffer => withWord(message, 0, id & 0xffff);
const idOf = (query: Buffer): number => query.readUInt16BE(0);
/** The question in lower case throughout, whatever it was. */
function lowered(message: Buffer): Buffer {
  const { end } = questionOf(message);
  const name = message.toString('latin1', 12, end - 4).toLowerCase();
  return Buffer.concat([message.subarray(0, 12), Buffer.from(name, 'latin1'), message.subarray(end - 4)]);
}
/** TC over UDP, and this over TCP. */
const truncating =
  (overTcp: Behaviour): Behaviour =>
  (query, isTcp, seen) =>
    isTcp ? overTcp(query, isTcp, seen) : [replyTo(query, { records: 0, truncated: true })];
const always = (make: (query: Buffer) => Buffer): Behaviour => {
  return (query) => [make(query)];
};

/** Keeps the first reply back until it is asked once more: later than an attempt lasts, sooner than the deadline. */
function createSlow(): Behaviour {
  const held = new Map<string, () => void>();
  return async (query) => {
    const { name } = questionOf(query);
    const release = held.get(name);
    if (release !== undefined) {
      release();
      return NEVER;
    }
    await new Promise<void>((resolve) => held.set(name, resolve));
    return [right(query)];
  };
}

function createLossy(): Behaviour {
  const lost = new Set<string>();
  return (query) => {
    const { name } = questionOf(query);
    if (lost.has(name)) return [right(query)];
    lost.add(name);
    return NEVER;
  };
}

/** What the client sees of an upstream that is alone; beside a good one that is always the right answer. */
type Alone = 'the answer' | 'SERVFAIL';
/** Null: nobody listens there. */
const ROWS: readonly (readonly [name: string, behaviour: (() => Behaviour) | null, alone: Alone])[] = [
  ['silent', () => () => NEVER, 'SERVFAIL'],
  ['slow', createSlow, 'the answer'],
  ['the first query of each name lost', createLossy, 'the answer'],
  ['nobody listens', null, 'SERVFAIL'],
  ['TC, the whole over TCP', () => truncating(always(right)), 'the answer'],
  ['TC, TCP slow', () => truncating(createSlow()), 'the answer'],
  ['TC, TCP silent', () => truncating(() => NEVER), 'SERVFAIL'],
  ['TC, TCP closed at once', () => truncating(() => []), 'SERVFAIL'],
  ['TC, half a reply over TCP', () => truncating((query) => [{ half: right(query) }]), 'SERVFAIL'],
  ['TC, wrong ID over TCP', () => truncating(always((query) => withId(forged(query), idOf(query) ^ 1))), 'SERVFAIL'],
  ['wrong ID', () => always((query) => withId(forged(query), idOf(query) ^ 1)), 'SERVFAIL'],
  ['wrong name', () => always((query) => withWord(forged(query), 13, 0x7878)), 'SERVFAIL'],
  ['wrong type', () => always((query) => withWord(forged(query), questionOf(query).end - 4, 28)), 'SERVFAIL'],
  ['wrong class', () => always((query) => withWord(forged(query), questionOf(query).end - 2, 3)), 'SERVFAIL'],
  ['wrong source', () => (query) => [{ fromElsewhere: forged(query) }], 'SERVFAIL'],
  ['wrong ones, then the right one', () => wrongThenRight, 'the answer'],
  ['forged replies in bulk, then the right one', () => forgedInBulk, 'the answer'],
  [
    'question in lower case over UDP',
    () => (query, overTcp) => [right(query)].map(overTcp ? same : lowered),
    'the answer',
  ],
  ['question in lower case always', () => always((query) => lowered(right(query))), 'the answer'],
  ['SERVFAIL', () => always((query) => replyTo(query, { rcode: 'SERVFAIL', records: 0 })), 'SERVFAIL'],
  ['REFUSED', () => always((query) => replyTo(query, { rcode: 'REFUSED', records: 0 })), 'SERVFAIL'],
  ['FORMERR', () => always((query) => replyTo(query, { rcode: 'FORMERR', records: 0 })), 'SERVFAIL'],
  [
    'FORMERR to EDNS',
    () => withoutEdns((query) => replyTo(query, { rcode: 'FORMERR', records: 0, opt: null })),
    'the answer',
  ],
  ['FORMERR to EDNS, a header alone', () => withoutEdns(formatErrorHeader), 'the answer'],
  ['a record cut short', () => always(cutShort), 'SERVFAIL'],
  ['records missing', () => always((query) => withWord(right(query), 6, 7)), 'SERVFAIL'],
  ['an owner that points to itself', () => always(pointingOwner), 'SERVFAIL'],
  ['a target that points to itself', () => always(pointingTarget), 'SERVFAIL'],
  ['random octets behind the ID', () => always((query) => withId(randomBytes(200), idOf(query))), 'SERVFAIL'],
  ['random octets', () => always(() => randomBytes(200)), 'SERVFAIL'],
  ['nothing but a header', () => always((query) => right(query).subarray(0, 12)), 'SERVFAIL'],
  ['an empty datagram', () => always(() => Buffer.alloc(0)), 'SERVFAIL'],
  ['the query echoed', () => always((query) => query), 'SERVFAIL'],
];

function same(message: Buffer): Buffer {
  return message;
}

function wrongThenRight(query: Buffer) {
  const wrong = forged(query);
  const others = [withId(wrong, idOf(query) + 1), withWord(wrong, 13, 0x7878), randomBytes(100)];
  return [{ fromElsewhere: wrong }, ...others, right(query)];
}

/** As one who floods a resolver's port with guesses of the ID: none of the guesses is right. */
function forgedInBulk(query: Buffer, overTcp: boolean): Buffer[] {
  if (overTcp) return [right(query)];
  const wrong = forged(query);
  return [...Array.from({ length: 5000 }, (_, n) => withId(wrong, idOf(query) + 1 + n)), right(query)];
}

function withoutEdns(refuse: (query: Buffer) => Buffer): Behaviour {
  return (query) => [query[11] === 0 ? right(query) : refuse(query)];
}

function formatErrorHeader(query: Buffer): Buffer {
  return Buffer.from([query[0] as number, query[1] as number, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/** Without the OPT, so that it is the answer's record that ends too soon. */
function cutShort(query: Buffer): Buffer {
  return replyTo(query, { answer: [`@ 30 IN A ${RIGHT}`], opt: null }).subarray(0, -3);
}

function pointingOwner(query: Buffer): Buffer {
  const reply = replyTo(query, { answer: [`@ 30 IN A ${RIGHT}`], opt: null });
  const { end } = questionOf(query);
  return withWord(reply, end, 0xc000 | end);
}

function pointingTarget(query: Buffer): Buffer {
  const reply = replyTo(query, { answer: ['@ 30 IN CNAME @'], opt: null });
  return withWord(reply, reply.length - 2, 0xc000 | (reply.length - 2));
}

const folder = makeFolder();
const opened: FakeUpstream[] = [];
let daemon: RunningDaemon;
let trap: FakeUpstream;

/** Somewhere that nobody will listen at. */
async function closedEndpoint(): Promise<string> {
  const upstream = await FakeUpstream.open(() => [], { address: ownAddress() });
  await upstream.close();
  return upstream.endpoint;
}

async function open(behaviour: Behaviour): Promise<string> {
  const upstream = await FakeUpstream.open(behaviour);
  opened.push(upstream);
  return upstream.endpoint;
}

beforeAll(async () => {
  // What a rule covers is for its own upstreams alone, however badly they do.
  trap = await FakeUpstream.open(always(forged));
  opened.push(trap);
  const rules: string[] = [];
  for (const [n, [, behaviour]] of ROWS.entries()) {
    const make = () => (behaviour === null ? closedEndpoint() : open(behaviour()));
    rules.push(`row${n}.alone.example=${await make()}`);
    rules.push(`row${n}.beside.example=${await make()} ${await open(always(right))}`);
  }
  const settings = { STORE: 'memory', UPSTREAMS: trap.endpoint, FORWARD: rules.join() };
  daemon = await startTestDaemon({ dataDir: folder.path, settings });
});
afterAll(async () => {
  await daemon?.stop('SIGKILL');
  for (const upstream of opened) await upstream.close();
  folder.remove();
});

interface Asked {
  readonly status: string;
  readonly answer: readonly string[];
  readonly error: number | null;
  readonly elapsedMs: number;
}

async function askOf(name: string): Promise<Asked> {
  const startedAt = performance.now();
  const reply = await ask(daemon.dnsPort, `${name} A`, { opt: {} });
  const elapsedMs = performance.now() - startedAt;
  return { status: reply.status, answer: reply.answer, error: errorCodeOf(reply), elapsedMs };
}

const answerOf = (name: string) => ({
  status: 'NOERROR RD RA',
  answer: [`${name}. 30 IN A ${RIGHT}`],
  error: null,
});
const SERVFAIL = { status: 'SERVFAIL RD RA', answer: [], error: 22 };
/** Until a client gives the daemon up; what is promised is 4 s. */
const BOUND_MS = 4500;
/** More than a good upstream takes on a machine that has much else to do, less than waiting for a dead one. */
const PROMPT_MS = 500;

describe.concurrent('alone, an upstream that does this makes', () => {
  it.each(ROWS.map(([name, , alone], n) => ({ name, alone, n })))('$name: $alone', async ({ alone, n }) => {
    const name = `www.row${n}.alone.example`;
    const { elapsedMs, ...seen } = await askOf(name);
    expect(seen).toEqual(alone === 'SERVFAIL' ? SERVFAIL : answerOf(name));
    expect(elapsedMs).toBeLessThan(BOUND_MS);
    expect(trap.seen).toEqual([]);
  });
});

describe.concurrent('beside a good upstream, one that does this costs no answer, and time at most once', () => {
  it.each(ROWS.map(([name], n) => ({ name, n })))('$name', async ({ n }) => {
    const elapsed: number[] = [];
    for (let i = 0; i < 20; i++) {
      const name = `www${i}.row${n}.beside.example`;
      const { elapsedMs, ...seen } = await askOf(name);
      expect(seen).toEqual(answerOf(name));
      elapsed.push(elapsedMs);
    }
    expect(Math.max(...elapsed)).toBeLessThan(BOUND_MS);
    // One may wait for the attempt to end; a second one may meet a machine that is busy.
    expect(elapsed.filter((elapsedMs) => elapsedMs > PROMPT_MS).length).toBeLessThanOrEqual(2);
    expect(trap.seen).toEqual([]);
  });
});
