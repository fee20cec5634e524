import { afterAll, describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../src/answers/selection.ts';
import { Cache, type Held } from '../../src/resolver/cache.ts';
import { makeQuestion } from '../../src/resolver/question.ts';
import { Reply } from '../../src/resolver/reply.ts';
import { isBad, readReply } from '../../src/resolver/reply-reader.ts';
import type { Outcome } from '../../src/resolver/resolver.ts';
import { rrset } from '../support/answering.ts';
import {
  nameBytes,
  optBytes,
  optionBytes,
  queryBytes,
  questionBytes,
  readReply as readStrictly,
} from '../support/message.ts';
import { closeResolvers } from '../support/resolving.ts';
import { ToldResponder } from '../support/told.ts';
import { OPT, QNAME, record, soaRecord, typeOf, upstreamReply } from '../support/upstream-reply.ts';
import { faultOf } from './faults.ts';
import { FUZZ_SEED, fuzzCount, withinMs } from './settings.ts';

afterAll(closeResolvers);

const REPLIES = fuzzCount('FUZZ_REPLIES', 20_000, 200_000);
const LARGE_EVERY = 20;

const SOA = soaRecord('example.com', 900, 120);
const NS = record([0xc0, 16], 'NS', 60, [2, 110, 115, 0xc0, 16]);
const GLUE = record('ns.example.com', 'A', 60, '192.0.2.9');
const A = record(QNAME, 'A', 60, '192.0.2.1');
const SUBNET = optionBytes(8, [0, 1, 24, 24, 192, 0, 2]);
const FULL_OPT = optBytes({
  flags: 0x8000,
  options: [...SUBNET, ...optionBytes(15, [0, 4, 102, 111, 114, 103, 101, 100])],
});

type Case = readonly [question: string, message: Uint8Array];
const made = (question: string, parts: Parameters<typeof upstreamReply>[1]): Case => [
  question,
  upstreamReply(question, parts),
];

/** What upstreams say when all is well. */
const SMALL: readonly Case[] = [
  made('www.example.com A', { answer: [A, A], authority: [NS], additional: [GLUE, OPT] }),
  made('www.example.com A', {
    answer: [record(QNAME, 'CNAME', 60, 'b.example'), record('b.example', 'A', 9, '192.0.2.1')],
  }),
  made('www.example.com A', { answer: [A], additional: [FULL_OPT] }),
  made('www.example.com AAAA', { answer: [record(QNAME, 'CNAME', 60, [1, 98, 0xc0, 16])], authority: [SOA] }),
  made('www.example.com A', { answer: [record(QNAME, 'CNAME', 60, 'web.corp.internal')] }),
  made('www.example.com A', { answer: [record(QNAME, 'CNAME', 60, 'WWW.corp.internal')], additional: [OPT] }),
  made('www.example.com MX', { answer: [record(QNAME, 'MX', 60, [0, 5, 2, 109, 120, ...QNAME])], additional: [OPT] }),
  made('www.example.com SRV', { answer: [record(QNAME, 'SRV', 60, [0, 1, 0, 1, 0, 80, ...nameBytes('a.x')])] }),
  made('www.example.com TXT', { answer: [record(QNAME, 'TXT', 60, [3, 0xc0, 12, 0])] }),
  made('www.example.com NS', { answer: [NS, NS], additional: [GLUE] }),
  made('www.example.com A', { rcode: 3, authority: [soaRecord([0xc0, 16], 60, 60)], additional: [OPT] }),
  made('www.example.com A', { rcode: 0, authority: [SOA], additional: [FULL_OPT] }),
  made('www.example.com A', { rcode: 2, additional: [FULL_OPT] }),
  made('www.example.com SOA', { answer: [soaRecord(QNAME, 60, 60)] }),
];
const many = (count: number): number[][] => Array.from({ length: count }, () => A);
const FAR = Array.from({ length: 16_340 }, (_, i) => i & 0xff);
/** Larger ones, among which pointers end. */
const LARGE: readonly Case[] = [
  made('www.example.com A', { answer: many(40), authority: [NS], additional: [GLUE, OPT] }),
  made('www.example.com A', { answer: many(4000), additional: [OPT] }),
  made('www.example.com A', {
    answer: [record(QNAME, 'TXT', 60, FAR), record(QNAME, 'CNAME', 60, 'www.corp.internal')],
  }),
  made('www.example.com A', {
    answer: Array.from({ length: 300 }, (_, n) =>
      record(n === 0 ? QNAME : `n${n}.example`, 'CNAME', 60, `n${n + 1}.example`),
    ),
  }),
];

const ZONES = {
  'corp.internal': {
    web: [rrset(['60 IN A 10.0.0.1'])],
    www: [rrset(['20 IN CNAME www.example.com'])],
    far: [rrset(['20 IN CNAME www.corp.internal'])],
  },
};

const TELLING = [0, 1, 2, 4, 5, 6, 12, 16, 28, 33, 41, 63, 64, 0x7f, 0x80, 0xc0, 0xff];

/** Spoils what stands behind the question, and the counts and the RCODE in front of it. */
function mutate(message: Uint8Array, end: number, random: Random): Uint8Array {
  let bytes = Uint8Array.from(message);
  for (let left = random(6); left > 0; left--) {
    const at = end + random(Math.max(1, Math.min(bytes.length - end, random(4) === 0 ? 65_535 : 120)));
    switch (random(9)) {
      case 0:
        bytes[6 + random(6)] = TELLING[random(5)] as number;
        break;
      case 1:
        bytes[3] = random(2) === 0 ? 0x80 : random(256);
        break;
      case 2:
        if (at < bytes.length) bytes[at] = random(256);
        break;
      case 3:
        if (at < bytes.length) bytes[at] = TELLING[random(TELLING.length)] as number;
        break;
      case 4: {
        // A pointer to somewhere.
        const target = random(3) === 0 ? random(bytes.length) & 0x3fff : random(60);
        if (at + 1 < bytes.length) bytes.set([0xc0 | (target >> 8), target & 255], at);
        break;
      }
      case 5:
        bytes = bytes.slice(0, Math.max(end, at));
        break;
      case 6: {
        // Some of it once more, or a whole record.
        const piece =
          random(2) === 0
            ? bytes.subarray(at, at + random(40))
            : Uint8Array.from([A, OPT, NS, SOA][random(4)] as number[]);
        if (bytes.length + piece.length <= 65_535)
          bytes = Uint8Array.from(Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]));
        break;
      }
      case 7:
        bytes = Uint8Array.from(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(12))]));
        break;
      default: {
        // One more record at the end, and counted.
        const section = 6 + 2 * random(3);
        const more = [A, OPT, NS, FULL_OPT][random(4)] as number[];
        if (bytes.length + more.length > 65_535) break;
        bytes = Uint8Array.from([...bytes, ...more]);
        bytes[section + 1] = (bytes[section + 1] as number) + 1;
      }
    }
  }
  return bytes;
}

describe(`${REPLIES} mutated replies of upstreams (FUZZ_SEED=${FUZZ_SEED})`, () => {
  it(
    'are refused, or become replies that strict readers take, within what the client takes',
    () => {
      const random = createRandom(FUZZ_SEED);
      const responder = new ToldResponder({ zones: ZONES, nowMs: 5000 });
      const cache = new Cache(200_000, 60);
      const counts = { bad: 0, whole: 0, truncated: 0, chained: 0 };
      for (let i = 0; i < REPLIES; i++) {
        const from = i % LARGE_EVERY === 0 ? LARGE : SMALL;
        const [question, message] = from[random(from.length)] as Case;
        const end = 12 + questionBytes(question).length;
        const bytes = mutate(message, end, random);
        const told = (): string =>
          `FUZZ_SEED=${FUZZ_SEED}, reply ${i} to ${question}: ${Buffer.from(bytes).toString('hex').slice(0, 4000)}`;
        try {
          const reply = readReply(bytes, end, typeOf(question));
          if (isBad(reply)) {
            counts.bad++;
            continue;
          }
          const name = Uint8Array.from(nameBytes('www.example.com'));
          const { ttlSeconds } = new Reply().read(reply, 0);
          const held: Held = { bytes: reply, at: 0, storedAtMs: 0, expiresAtMs: 1000 * ttlSeconds };
          cache.put(makeQuestion(name, typeOf(question), 0), reply, 0, held.expiresAtMs);
          const outcome: Outcome = { held, isStale: random(5) === 0, failure: null };
          const qname = ['www.example.com', 'www.corp.internal', 'far.corp.internal'][random(3)] as string;
          const opts =
            random(2) === 0
              ? []
              : [{ size: [512, 1232, 4096][random(3)] as number, options: random(2) === 0 ? [] : SUBNET }];
          const query = queryBytes(`${qname} ${question.split(' ')[1]}`, { flags: 'RD', opts });
          const overTcp = random(3) === 0;
          const sent = responder.ask(query, { 'www.example.com.': outcome }, { overTcp });
          const fault = faultOf(query, query.length, sent, sent.length, overTcp);
          if (fault !== null) throw new Error(fault);
          const { status, answer } = readStrictly(sent);
          if (status.includes('TC')) counts.truncated++;
          else if (answer.length > 1 && qname !== 'www.example.com') counts.chained++;
          else counts.whole++;
        } catch (error) {
          throw new Error(`${(error as Error).message}\n${told()}`, { cause: error });
        }
        if (cache.sizeBytes > 200_000) throw new Error(`the cache takes ${cache.sizeBytes} octets\n${told()}`);
      }
      console.log(`FUZZ_SEED=${FUZZ_SEED}: ${REPLIES} replies, ${JSON.stringify(counts)}`);
      // Else the mutants were hardly mutants, or nothing else.
      for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(REPLIES / 200);
    },
    withinMs(REPLIES),
  );
});
