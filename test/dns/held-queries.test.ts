/** Queries that injected delays hold up: what is said of each when its reply goes out. */
import { afterAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { FaultTable } from '../../src/dns/faults.ts';
import { OUTCOME, OUTCOMES } from '../../src/dns/outcome.ts';
import { createRelay } from '../../src/dns/relay.ts';
import { FORWARD, Responder } from '../../src/dns/respond.ts';
import { toWireName } from '../../src/wire/names.ts';
import { rrset, zoneSetOf } from '../support/answering.ts';
import { buildQuery, extendedErrorOf, readAnswer } from '../support/dns.ts';
import { FakeUpstream, onlyAddress } from '../support/fake-upstream.ts';
import { ANYONE, closeResolvers, makeResolver, outside } from '../support/resolving.ts';

afterAll(closeResolvers);

/** In a thread: `src/dns/relay.ts`. */
const MAX_HELD = 1000;
const ZONES = zoneSetOf({ 'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])] } });

interface Sent {
  readonly reply: Uint8Array;
  readonly wasAsked: boolean;
  readonly outcome: string | undefined;
}

/** All queries below `internal` and `example` wait. */
function holding(delayMs: number, resolver = makeResolver()) {
  const faults = new FaultTable();
  const all = { type: null, isBelow: true, kind: 'delay', delayMs, percent: 100, untilMs: null } as const;
  faults.set(
    ['internal', 'example'].map((name) => ({ ...all, name: toWireName(name) })),
    1,
  );
  const responder = new Responder({ zones: ZONES, random: createRandom(1), faults, ...outside(), resolver });
  const relay = createRelay(responder, resolver);
  const scratch = new Uint8Array(65_535);
  const send = (name: string): Promise<Sent> => {
    const query = buildQuery(name, 'A', { rd: true, edns: 1232 });
    expect(responder.respond(query, query.length, scratch, false, null, ANYONE)).toBe(FORWARD);
    return new Promise((resolve) => {
      relay.relay(query, false, null, (reply, wasAsked) =>
        resolve({ reply, wasAsked, outcome: OUTCOMES[responder.outcome] }),
      );
    });
  };
  return { relay, send };
}

describe('a query that a delay holds up', () => {
  it('of a name of ours is answered without upstreams', async () => {
    const { reply, ...said } = await holding(1).send('web.corp.internal');
    expect(said).toEqual({ wasAsked: false, outcome: 'zone' });
    expect(readAnswer(reply).answer).toHaveLength(1);
  });

  it('of a name outside has asked them where they were asked, and not where the cache had it', async () => {
    const upstream = await FakeUpstream.open(onlyAddress('192.0.2.1'));
    const { address, port } = upstream;
    const { send } = holding(1, makeResolver([{ address, port }]));
    expect(await send('www.example')).toMatchObject({ wasAsked: true, outcome: 'upstream' });
    expect(await send('www.example')).toMatchObject({ wasAsked: false, outcome: 'cache' });
    await upstream.close();
  });

  it('is refused, by the fault, where too many are', async () => {
    const { relay, send } = holding(60_000);
    const held = Array.from({ length: MAX_HELD }, () => send('web.corp.internal'));
    const { reply, ...said } = await send('web.corp.internal');
    expect(said).toEqual({ wasAsked: false, outcome: OUTCOMES[OUTCOME.fault] });
    expect([readAnswer(reply).rcode, extendedErrorOf(reply)?.text]).toEqual([
      'SERVFAIL',
      expect.stringMatching(/fault/),
    ]);
    relay.release();
    for (const { outcome } of await Promise.all(held)) expect(outcome).toBe('zone');
  });
});
