import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import type { InjectedFault } from '../../src/answers/thread-protocol.ts';
import { FaultTable } from '../../src/dns/faults.ts';
import { OUTCOME } from '../../src/dns/outcome.ts';
import { DROP, FORWARD, Responder } from '../../src/dns/respond.ts';
import { toWireName } from '../../src/wire/names.ts';
import { rrset, zoneSetOf } from '../support/answering.ts';
import { buildQuery, extendedErrorOf, readAnswer } from '../support/dns.ts';
import { ANYONE, outside } from '../support/resolving.ts';

const WEB = 'web.corp.internal';
const ZONES = { 'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])], alias: [rrset([`60 IN CNAME ${WEB}.`])] } };

function respondWith(
  faults: readonly Partial<InjectedFault>[],
  { isDelayed = true, overTcp = false, name = WEB } = {},
) {
  const table = new FaultTable();
  const all = {
    id: 'fault-1',
    name: toWireName(WEB),
    type: null,
    isBelow: false,
    delayMs: 0,
    percent: 100,
    untilMs: null,
  };
  table.set(
    faults.map((fault) => ({ ...all, kind: 'servfail', ...fault })),
    1,
  );
  const zones = zoneSetOf(ZONES);
  const responder = new Responder({ zones, random: createRandom(1), faults: table, isDelayed, ...outside(false) });
  const reply = new Uint8Array(65_535);
  const query = buildQuery(name, 'A', { edns: 1232 });
  const length = responder.respond(query, query.length, reply, overTcp, null, ANYONE);
  return { responder, query, length, reply, outcome: responder.outcome, bytes: reply.slice(0, Math.max(0, length)) };
}

describe('a query that meets a fault', () => {
  it('gets SERVFAIL, and why', () => {
    const { bytes, outcome } = respondWith([{}]);
    expect(readAnswer(bytes)).toMatchObject({ rcode: 'SERVFAIL', aa: false, answer: [], authority: [] });
    expect(extendedErrorOf(bytes)).toEqual({ code: 0, text: 'a fault is injected here (/admin/faults)' });
    expect(outcome).toBe(OUTCOME.fault);
  });

  it('gets TC over UDP, and over TCP the answer', () => {
    const fault = { kind: 'truncate' } as const;
    expect(readAnswer(respondWith([fault]).bytes)).toMatchObject({ rcode: 'NOERROR', tc: true, answer: [] });
    const { bytes, outcome } = respondWith([fault], { overTcp: true });
    expect(readAnswer(bytes)).toMatchObject({ tc: false, answer: [`${WEB}. 60 IN A 10.0.0.1`] });
    expect([outcome, extendedErrorOf(bytes)]).toEqual([OUTCOME.zone, null]);
  });

  it('gets nothing', () => {
    expect(respondWith([{ kind: 'drop' }])).toMatchObject({ length: DROP, outcome: OUTCOME.fault });
    expect(respondWith([{ kind: 'drop' }, { kind: 'delay', delayMs: 5 }])).toMatchObject({ length: DROP });
  });

  it('is set aside for a delay, once, with what comes after it', () => {
    const faults = [
      { kind: 'delay', delayMs: 5 },
      { kind: 'servfail', id: 'fault-2' },
    ] as const;
    const { responder, query, reply, length } = respondWith(faults);
    expect(length).toBe(FORWARD);
    expect(responder.takeHeld()).toEqual({
      ...{ delayMs: 5, delayId: 'fault-1', kind: 'servfail', kindId: 'fault-2', mayRecurse: true },
    });
    expect(responder.takeHeld()).toBe(null);
    const end = responder.fault(query, reply, false, 'servfail');
    expect(readAnswer(reply.slice(0, end)).rcode).toBe('SERVFAIL');
    // What comes back from where it was set aside is answered.
    expect(responder.respond(query, query.length, reply, false, null, ANYONE, [])).toBeGreaterThan(0);
  });

  it('does not wait where nobody is to', () => {
    expect(readAnswer(respondWith([{ kind: 'delay', delayMs: 5 }], { isDelayed: false }).bytes).answer).toHaveLength(1);
    const both = [{ kind: 'delay', delayMs: 5 }, { kind: 'servfail' }] as const;
    expect(readAnswer(respondWith(both, { isDelayed: false }).bytes).rcode).toBe('SERVFAIL');
  });

  it('has asked for its name itself: one that a CNAME leads to does not count', () => {
    expect(readAnswer(respondWith([{}], { name: 'alias.corp.internal' }).bytes).answer).toHaveLength(2);
  });
});
