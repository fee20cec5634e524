import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { DROP, FORWARD, Responder } from '../../src/dns/respond.ts';
import { readReply } from '../../src/resolver/reply-reader.ts';
import type { Outcome } from '../../src/resolver/resolver.ts';
import { ANSWERS } from '../dns/rfc-cases/answers.ts';
import { expectReplies } from '../dns/rfc-cases/expect.ts';
import { FITTING_CASES } from '../dns/rfc-cases/fitting.ts';
import { rfcContent } from '../dns/rfc-content.ts';
import { dropInstance, putInstance } from '../support/content.ts';
import { buildQuery } from '../support/dns.ts';
import { replyTo } from '../support/fake-upstream.ts';
import { bytesInUse } from '../support/memory.ts';
import { ANYONE, outside } from '../support/resolving.ts';
import { faultOf } from './faults.ts';
import { Mutator } from './mutator.ts';
import { FUZZ_SEED, fuzzCount, withinMs } from './settings.ts';

const PACKETS = fuzzCount('FUZZ_PACKETS', 50_000, 500_000);
/** Instances come and go as the packets are answered. */
const PACKETS_PER_CHANGE = 1000;
/** Of the memory that is in use after a collection; a leak of ten octets a packet would come to it in CI. */
const MAX_GROWTH_BYTES = 4_000_000;

/** What an upstream has said: nothing, a short answer, or one that few clients take. */
function outcomeOf(kind: number): Outcome {
  if (kind === 0) return { held: null, failure: { rcode: 2, error: null, isLoop: false } };
  const query = Buffer.from(buildQuery('a', 'A', { rd: true }));
  const held = readReply(replyTo(query, { records: kind === 1 ? 1 : 100 }), query.length, 1) as Uint8Array;
  return { held: { bytes: held, at: 0, storedAtMs: 0, expiresAtMs: 9000 }, isStale: kind === 2, failure: null };
}

describe(`${PACKETS} mutated packets (FUZZ_SEED=${FUZZ_SEED})`, () => {
  it(
    'are answered or dropped, within bounds, in constant memory, and the right answers follow',
    () => {
      const random = createRandom(FUZZ_SEED);
      const content = rfcContent();
      const { zones } = content;
      const authoritative = content.asker.responder;
      const forwarding = new Responder({ zones, random: createRandom(FUZZ_SEED), ...outside(true) });
      const mutator = new Mutator(random);
      const { bytes } = mutator;
      const before = new Uint8Array(bytes.length);
      const reply = new Uint8Array(65_535);
      const outcomes = new Map<string, number>();
      let inUse = 0;

      const told = (i: number, overTcp: boolean): string =>
        `FUZZ_SEED=${FUZZ_SEED}, packet ${i} over ${overTcp ? 'TCP' : 'UDP'}: ${Buffer.from(bytes.subarray(0, mutator.length)).toString('hex')}`;

      for (let i = 0; i < PACKETS; i++) {
        // What is compiled and cached in the beginning is no growth.
        if (i === Math.floor(PACKETS / 5)) inUse = bytesInUse();
        if (i % PACKETS_PER_CHANGE === 0) {
          const id = `churn-${random(50)}`;
          const serviceId = 'srv-ns-1-_mid._tcp';
          content.change(putInstance({ serviceId, id, ipv4: `10.9.0.${random(256)}`, port: 1 }));
          content.change(dropInstance(id, serviceId));
        }
        mutator.next();
        const { length } = mutator;
        const overTcp = random(3) === 0;
        const responder = random(2) === 0 ? authoritative : forwarding;
        before.set(bytes.subarray(0, length));
        // What is left of an earlier reply must not show through.
        reply.fill(0xee, 0, 64);
        let fault: string | null;
        let sent = 0;
        try {
          sent = responder.respond(bytes, length, reply, overTcp, null, ANYONE);
          fault = faultOf(bytes, length, reply, sent, overTcp);
          if (sent === FORWARD && fault === null) {
            if (responder === authoritative) fault = 'forwards without an upstream';
            // As the relay does where no upstream replies, or one with what may be more than the client takes.
            const told = { question: responder.takeWanted().question, outcome: outcomeOf(random(3)) };
            const end = responder.respond(bytes.subarray(0, length), length, reply, overTcp, null, ANYONE, [told]);
            fault ??= faultOf(bytes, length, reply, end, overTcp);
          }
        } catch (error) {
          throw new Error(told(i, overTcp), { cause: error });
        }
        if (fault !== null) throw new Error(`${fault}\n${told(i, overTcp)}`);
        if (Buffer.compare(before.subarray(0, length), bytes.subarray(0, length)) !== 0)
          throw new Error(`the query was written to\n${told(i, overTcp)}`);
        const outcome = sent === DROP ? 'drop' : sent === FORWARD ? 'forward' : String((reply[3] as number) & 0xf);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }

      const growth = bytesInUse() - inUse;
      console.log(
        `FUZZ_SEED=${FUZZ_SEED}: ${PACKETS} packets, ${JSON.stringify(Object.fromEntries(outcomes))}, ${growth} octets more in use`,
      );
      expect(growth, 'octets more in use').toBeLessThan(MAX_GROWTH_BYTES);
      // Else the mutants never got further than the screening, or were hardly mutants.
      for (const outcome of ['drop', 'forward', '0', '1', '3', '4', '5'])
        expect(outcomes.get(outcome) ?? 0, `packets with the outcome ${outcome}`).toBeGreaterThan(PACKETS / 200);

      for (const each of [...ANSWERS, ...FITTING_CASES]) {
        for (const transport of ['UDP', 'TCP']) {
          if ((each.over ?? transport) !== transport) continue;
          const sent = content.asker.send(each.query, transport === 'TCP');
          expectReplies(typeof sent === 'string' ? [] : [sent], each, transport === 'TCP' ? 65_535 : 1232);
        }
      }
    },
    withinMs(PACKETS),
  );

  it('of any length up to that of a datagram are answered or dropped', () => {
    const { asker } = rfcContent();
    const head = [0, 1, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255];
    for (const size of [512, 4096, 65_535]) {
      for (const fill of [0, 1, 0x3f, 0x40, 0xc0, 0xff]) {
        // 196,605 records are announced; walking them must end with the message.
        const packet = Uint8Array.from([...head, 0, 0, 1, 0, 1, ...Array<number>(size - 17).fill(fill)]);
        const reply = asker.send(packet, true) as Uint8Array;
        expect([reply.length, (reply[3] as number) & 0xf], `${size} octets of ${fill}`).toEqual([17, 1]);
      }
    }
  });
});
