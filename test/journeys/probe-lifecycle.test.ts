/** Registering anew, deregistering, updating and deleting while probes are under way: who is probed from then on. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { requireLoopbackBlock, shareDaemon, waitFor } from '../support/journey-tools.ts';
import { HANG, Listener, OK, ownAddress, respond, type Script } from '../support/listeners.ts';
import { turnsOf, waitForMore, waitForTurns } from '../support/probing.ts';

const sharedDaemon = shareDaemon({
  // A probe that hangs does so until the test lets it go.
  settings: { STORE: 'memory', HEALTH_INTERVAL_MS: '50', HEALTH_RESPONSE_TIMEOUT_MS: '60000' },
});
const open: Listener[] = [];
let daemon: RunningDaemon;
let api: Api;
let namespace: string;
/** Of an instance that is probed all the while: what happens meanwhile to others happens never. */
let clock: Listener;
let ids = 0;

beforeEach(async () => {
  daemon = sharedDaemon();
  api = new Api(daemon.endpoint);
  namespace = await api.createNamespace('corp.example', 'public');
  clock = await listen(OK);
  const HealthCheckConfig = { Type: 'HTTP' as const };
  await api.register(await api.createService(namespace, 'clock', { HealthCheckConfig }), 'clock', clock.attributes);
});
afterEach(async () => {
  await api.wipe();
  for (const listener of open.splice(0)) listener.close();
});

const BAD = respond(503);
const check = (FailureThreshold = 1, ResourcePath = '/') => ({
  HealthCheckConfig: { Type: 'HTTP' as const, FailureThreshold, ResourcePath },
});
const DNS = { DnsConfig: { DnsRecords: [{ Type: 'A' as const, TTL: 60 }] } };

async function listen(script: Script): Promise<Listener> {
  const listener = await Listener.open(script, { address: ownAddress() });
  open.push(listener);
  return listener;
}

/** The log is one for all tests. */
function freshId(): string {
  return `web-${++ids}`;
}

async function expectNoMoreProbes(listener: Listener): Promise<void> {
  // What had been sent before may still be on its way.
  await waitForMore(clock, 2);
  const { connections } = listener;
  await waitForMore(clock, 8);
  expect(listener.connections).toBe(connections);
}

function linesOf(listener: Listener): string[] {
  return listener.requests.map((request) => request.split('\r\n', 1)[0] as string);
}

async function answered(): Promise<string[]> {
  const { answer } = await dig(daemon.dnsPort, 'web.corp.example', 'A');
  return answer.map((record) => record.split(' ').at(-1) as string).sort();
}

describe('an instance that is deregistered', () => {
  it.each([
    ['answers', OK],
    ['hangs', HANG],
  ])('is not probed any longer, where it %s', async (_, behaviour) => {
    const service = await api.createService(namespace, 'web', check());
    const listener = await listen(behaviour);
    const id = freshId();
    await api.register(service, id, listener.attributes);
    await waitFor('a probe', () => (listener.connections >= 1 ? true : null));
    await api.deregister(service, id);
    await expectNoMoreProbes(listener);
    // The probe that was under way has let go of its connection.
    expect(listener.hanging).toBe(0);
    expect(turnsOf(daemon, id)).toEqual([]);
  });

  it('is not probed any longer, where its service is deleted too, and begins anew under a service of that name', async () => {
    const service = await api.createService(namespace, 'web', check(1, '/first'));
    const listener = await listen(BAD);
    const id = freshId();
    await api.register(service, id, listener.attributes);
    await waitForTurns(daemon, id, 1);
    await api.deregister(service, id);
    await api.deleteService(service);
    await expectNoMoreProbes(listener);

    listener.script = OK;
    const again = await api.createService(namespace, 'web', check(1, '/second'));
    const before = listener.connections;
    await api.register(again, id, listener.attributes);
    expect(await api.healthOf(again)).toEqual({ [id]: 'HEALTHY' });
    await waitFor('probes', () => (listener.connections >= before + 3 ? true : null));
    expect(new Set(linesOf(listener).slice(before))).toEqual(new Set(['GET /second HTTP/1.1']));
    expect(turnsOf(daemon, id)).toHaveLength(1);
  });
});

describe('an instance that is registered anew', () => {
  it('is probed where it is now, and not any longer where it was', async () => {
    const service = await api.createService(namespace, 'web', check());
    const [before, after] = [await listen(OK), await listen(OK)];
    const id = freshId();
    await api.register(service, id, before.attributes);
    await waitForMore(before, 2);
    expect(after.connections).toBe(0);
    await api.register(service, id, after.attributes);
    await waitFor('the probe', () => (after.connections >= 1 ? true : null));
    await expectNoMoreProbes(before);
    after.script = BAD;
    expect(await waitForTurns(daemon, id, 1)).toEqual(['UNHEALTHY: HTTP 503, 1 in a row']);
  });

  it('hears nothing of a probe that was under way', async () => {
    const service = await api.createService(namespace, 'web', check());
    const [before, after] = [await listen(HANG), await listen(OK)];
    const id = freshId();
    await api.register(service, id, before.attributes);
    await waitFor('the probe', () => (before.hanging === 1 ? true : null));
    await api.register(service, id, after.attributes);
    if (before.hanging > 0) before.release(BAD);
    await waitForMore(after, 4);
    expect(turnsOf(daemon, id)).toEqual([]);
  });

  it('counts anew, the same attributes or not', async () => {
    const service = await api.createService(namespace, 'web', check(3));
    // Two failures, then one more would turn it.
    const listener = await listen((n) => (n === 3 ? HANG : n < 6 ? BAD : OK));
    const id = freshId();
    await api.register(service, id, listener.attributes);
    await waitFor('the third probe', () => (listener.hanging === 1 ? true : null));
    await api.register(service, id, listener.attributes);
    await waitFor('two more that fail, and passes', () => (listener.connections >= 9 ? true : null));
    expect(turnsOf(daemon, id)).toEqual([]);
  });

  it('begins as healthy, and has its turn with the first threshold', async () => {
    const service = await api.createService(namespace, 'web', check(2));
    const listener = await listen(BAD);
    const id = freshId();
    await api.register(service, id, listener.attributes);
    await waitForTurns(daemon, id, 1);
    await api.register(service, id, listener.attributes);
    expect(await waitForTurns(daemon, id, 3)).toEqual([
      'UNHEALTHY: HTTP 503, 2 in a row',
      'HEALTHY: registered anew',
      'UNHEALTHY: HTTP 503, 2 in a row',
    ]);
  });
});

describe('UpdateService', () => {
  it('makes probes ask for another path', async () => {
    const service = await api.createService(namespace, 'web', check(1, '/first?a=b'));
    const listener = await listen(OK);
    await api.register(service, freshId(), listener.attributes);
    await waitForMore(listener, 2);
    await api.updateService(service, { ...DNS, ...check(1, '/second?c=d') });
    await waitFor('the other path', () => (linesOf(listener).at(-1)?.includes('/second?c=d') ? true : null));
    const { length } = linesOf(listener);
    await waitForMore(listener, 3);
    expect(new Set(linesOf(listener).slice(length))).toEqual(new Set(['GET /second?c=d HTTP/1.1']));
  });

  it('makes another threshold count', async () => {
    const service = await api.createService(namespace, 'web', check(10));
    const listener = await listen(respond(500));
    const id = freshId();
    await api.register(service, id, listener.attributes);
    await waitForMore(listener, 2);
    await api.updateService(service, { ...DNS, ...check(2) });
    expect(await waitForTurns(daemon, id, 1)).toEqual(['UNHEALTHY: HTTP 500, 2 in a row']);
    await api.updateService(service, { ...DNS, ...check(4) });
    listener.script = OK;
    expect((await waitForTurns(daemon, id, 2)).at(-1)).toBe('HEALTHY: probe passed, 4 in a row');
  });

  it('takes the check away: UNKNOWN, always answered, not probed; and brings it back: as new', async (context) => {
    requireLoopbackBlock(context);
    const service = await api.createService(namespace, 'web', check());
    const [bad, good] = [await listen(BAD), await listen(OK)];
    const [sick, well] = [freshId(), freshId()];
    await api.register(service, sick, bad.attributes);
    await api.register(service, well, good.attributes);
    await waitForTurns(daemon, sick, 1);
    await waitFor('DNS', async () => ((await answered()).length === 1 ? true : null));
    expect(await answered()).toEqual([good.address]);

    await api.updateService(service, DNS);
    const both = [bad.address, good.address].sort();
    expect(await answered()).toEqual(both);
    expect(await api.healthOf(service)).toEqual({ [sick]: 'UNKNOWN', [well]: 'UNKNOWN' });
    for (const filter of ['HEALTHY', 'UNHEALTHY', 'ALL', 'HEALTHY_OR_ELSE_ALL', undefined] as const) {
      expect((await api.discover('corp.example', 'web', filter)).ids, filter).toEqual([sick, well].sort());
    }
    await expectNoMoreProbes(bad);
    await expectNoMoreProbes(good);

    bad.script = HANG;
    await api.updateService(service, { ...DNS, ...check() });
    expect(await answered()).toEqual(both);
    expect(await api.healthOf(service)).toEqual({ [sick]: 'HEALTHY', [well]: 'HEALTHY' });
    await waitFor('the first probe', () => (bad.hanging === 1 ? true : null));
    await waitForMore(good, 2);
    bad.release(BAD);
    expect((await waitForTurns(daemon, sick, 3)).slice(-2)).toEqual([
      'HEALTHY: the check was removed',
      'UNHEALTHY: HTTP 503, 1 in a row',
    ]);
    await waitFor('DNS', async () => ((await answered()).length === 1 ? true : null));
    expect(await answered()).toEqual([good.address]);
    expect(turnsOf(daemon, well)).toEqual([]);
  });
});
