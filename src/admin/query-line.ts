/** A query and its reply as people and programs read it. */
import type { SeenQuery } from '../publish/query-audience.ts';
import { TRANSPORTS } from '../telemetry/query-counters.ts';
import { decodeMessage, type Message, RCODE_CODES, typeName } from '../wire/codec.ts';
import { HEADER_BYTES } from '../wire/header.ts';
import { toTextName } from '../wire/names.ts';

export interface QueryLine {
  /** ISO 8601. */
  readonly at: string;
  readonly client: string;
  readonly transport: string;
  /** Of the question, in the case that it was asked in; null: there was none that could be read, or no reply. */
  readonly name: string | null;
  readonly type: string | null;
  /** Null: there was no reply. */
  readonly rcode: string | null;
  /** Where the reply came from. */
  readonly outcome: string;
  /** Data of the answer section's records, as in zone files. */
  readonly answers: readonly string[];
  readonly microseconds: number;
}

const RCODE_NAMES = new Map(Object.entries(RCODE_CODES).map(([name, code]) => [code, name]));
/** Those that dns2 has no name for, and browsers ask for all day (RFC 9460). */
const NEWER_TYPES: Readonly<Record<number, string>> = { 64: 'SVCB', 65: 'HTTPS' };
/** The high bits of an RCODE stand in the OPT record's TTL (RFC 6891 s6.1.3). */
const OPT = 41;

/** Several may look on at one query. */
const lines = new WeakMap<SeenQuery, QueryLine>();

/** @param outcome its name */
export function queryLine(seen: SeenQuery, outcome: string): QueryLine {
  const known = lines.get(seen);
  if (known !== undefined) return known;
  const line = makeLine(seen, outcome);
  lines.set(seen, line);
  return line;
}

function makeLine(seen: SeenQuery, outcome: string): QueryLine {
  const { at, transport, client, microseconds, reply } = seen;
  const line = {
    at: new Date(at).toISOString(),
    client,
    transport: TRANSPORTS[transport] ?? '',
    outcome,
    microseconds: Math.round(microseconds * 10) / 10,
  };
  if (reply.length < HEADER_BYTES) return { ...line, name: null, type: null, rcode: null, answers: [] };
  const { header, questions, answers, additionals } = decodeMessage(reply);
  const opt = additionals.find(({ type }) => type === OPT);
  const rcode = header.rcode | ((((opt?.ttl ?? 0) >>> 24) & 0xff) << 4);
  const [question] = questions;
  return {
    ...line,
    name: question === undefined ? null : withoutDot(toTextName(reply, HEADER_BYTES)),
    type: question === undefined ? null : (NEWER_TYPES[question.type] ?? typeName(question.type)),
    rcode: RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`,
    answers: answers.map((record) => escaped(rdataText(record))),
  };
}

function withoutDot(name: string): string {
  return name === '.' ? name : name.slice(0, -1);
}

/** Upstreams may have put anything into a name; escapes as in zone files (RFC 1035 s5.1). */
function escaped(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (character) => `\\${String(character.charCodeAt(0)).padStart(3, '0')}`);
}

/** Names without the dot at their end. */
function rdataText(record: Message['answers'][number]): string {
  const type = typeName(record.type);
  switch (type) {
    case 'A':
    case 'AAAA':
      return String(record.address);
    case 'CNAME':
    case 'PTR':
      return String(record.domain);
    case 'NS':
      return String(record.ns);
    case 'SRV':
      return `${record.priority} ${record.weight} ${record.port} ${record.target}`;
    case 'MX':
      return `${record.priority} ${record.exchange}`;
    case 'TXT':
      return [record.data ?? []]
        .flat()
        .map((text) => JSON.stringify(String(text)))
        .join(' ');
    default:
      return type;
  }
}
