/** When a probe is made, how many of them turn a status, and what follows from that. */
import { GetServiceCommand } from '@aws-sdk/client-servicediscovery';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, shareDaemon, waitFor } from '../support/journey-tools.ts';
import { type Behaviour, HANG, Listener, OK, ownAddress, respond, type Script } from '../support/listeners.ts';
import { keptHealth, turnsOf, waitForMore, waitForTurns } from '../support/probing.ts';

const journey = setUpJourney();
const open: Listener[] = [];
afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
});

async function listen(script: Script, address?: string): Promise<Listener> {
  const listener = await Listener.open(script, address === undefined ? {} : { address });
  open.push(listener);
  return listener;
}

const BAD = respond(503);

/** Results by the connection's number: `-` fails, `+` passes; the last one for ever. */
function scripted(results: string): (n: number) => Behaviour {
  return (n) => (results.at(Math.min(n, results.length) - 1) === '+' ? OK : BAD);
}

function check(threshold: number | null): { HealthCheckConfig: { Type: 'HTTP'; FailureThreshold?: number } } {
  return { HealthCheckConfig: { Type: 'HTTP', ...(threshold === null ? {} : { FailureThreshold: threshold }) } };
}

describe('the first probe', () => {
  const settings = { STORE: 'memory', HEALTH_INTERVAL_MS: '86400000' };

  it('comes at once with a registration, by a call or a file, the next one with the next registration', async () => {
    const declared = await listen(OK);
    const attributes = JSON.stringify(declared.attributes);
    const CONFIG = journey.writeFile(
      'zone.yaml',
      `namespaces: [{ name: file.example, type: DNS_PUBLIC, services: [{ name: web, healthCheck: { type: TCP }, instances: [{ id: one, attributes: ${attributes} }] }] }]\n`,
    );
    const daemon = await journey.start({ settings: { ...settings, CONFIG } });
    await waitFor('the probe', () => (declared.connections === 1 ? true : null));
    const api = new Api(daemon.endpoint);
    const service = await api.createService(await api.createNamespace('corp.example', 'public'), 'web', check(1));
    const listener = await listen(BAD);
    await api.register(service, 'two', listener.attributes);
    expect(await waitForTurns(daemon, 'two', 1)).toEqual(['UNHEALTHY: HTTP 503, 1 in a row']);
    const other = await listen(BAD);
    await api.register(service, 'two', other.attributes);
    expect(await waitForTurns(daemon, 'two', 3)).toEqual([
      'UNHEALTHY: HTTP 503, 1 in a row',
      'HEALTHY: registered anew',
      'UNHEALTHY: HTTP 503, 1 in a row',
    ]);
    expect([declared, listener, other].map(({ connections }) => connections)).toEqual([1, 1, 1]);
  });
});

describe('FailureThreshold', () => {
  const sharedDaemon = shareDaemon({ settings: { STORE: 'memory', HEALTH_INTERVAL_MS: '50' } });
  let daemon: RunningDaemon;
  let api: Api;
  let namespace: string;
  beforeEach(async () => {
    daemon = sharedDaemon();
    api = new Api(daemon.endpoint);
    namespace = await api.createNamespace('corp.example', 'public');
  });
  afterEach(() => api.wipe());

  it.each([
    [1, 1],
    [2, 2],
    [null, 3],
    [10, 10],
  ])('%s turns after %i of a kind in a row, and not after one less', async (given, threshold) => {
    const service = await api.createService(namespace, 'web', check(given));
    const { Service } = await api.sdk.send(new GetServiceCommand({ Id: service }));
    expect(Service?.HealthCheckConfig).toEqual(check(given).HealthCheckConfig);

    const fewer = threshold - 1;
    const almost = `${'-'.repeat(fewer)}+`.repeat(3);
    // Down with the very last failure; then up again, past as many almost recoveries.
    const script = `${almost}${'-'.repeat(threshold)}${`${'+'.repeat(fewer)}-`.repeat(fewer === 0 ? 0 : 3)}${'+'.repeat(threshold)}`;
    const id = `threshold-${threshold}`;
    const listener = await listen(scripted(script));
    await api.register(service, id, listener.attributes);
    expect(await waitForTurns(daemon, id, 2)).toEqual([
      `UNHEALTHY: HTTP 503, ${threshold} in a row`,
      `HEALTHY: probe passed, ${threshold} in a row`,
    ]);
    // It was the script's last probe that turned it back.
    expect(listener.connections).toBeGreaterThanOrEqual(script.length);
    await waitForMore(listener, 2);
    expect(turnsOf(daemon, id)).toHaveLength(2);
  });

  it('of two never turns what alternates', async () => {
    const service = await api.createService(namespace, 'web', check(2));
    const listener = await listen((n) => (n % 2 === 0 ? OK : BAD));
    await api.register(service, 'alternates', listener.attributes);
    await waitForMore(listener, 24);
    expect(turnsOf(daemon, 'alternates')).toEqual([]);
    expect(await api.healthOf(service)).toEqual({ alternates: 'HEALTHY' });
  });

  it('of another service counts for that one alone', async () => {
    const [quick, slow] = [
      await api.createService(namespace, 'quick', check(1)),
      await api.createService(namespace, 'slow', check(10)),
    ];
    const listener = await listen(scripted('-----+'));
    const other = await listen(scripted('-----+'));
    await api.register(quick, 'quick', listener.attributes);
    await api.register(slow, 'slow', other.attributes);
    await waitForTurns(daemon, 'quick', 2);
    await waitFor('the other', () => (other.connections > 7 ? true : null));
    expect(turnsOf(daemon, 'slow')).toEqual([]);
  });
});

describe('an instance that flaps', () => {
  it('has its last ten transitions in its history, and all of them in the log', async () => {
    const dataDir = journey.newPath();
    const daemon = await journey.start({ dataDir, settings: { HEALTH_INTERVAL_MS: '40' } });
    const api = new Api(daemon.endpoint);
    const service = await api.createService(await api.createNamespace('corp.example', 'public'), 'web', check(1));
    // Every failure has a status of its own.
    const listener = await listen((n) => (n > 24 || n % 2 === 0 ? OK : respond(500 + n)));
    await api.register(service, 'one', listener.attributes);
    const turns = await waitForTurns(daemon, 'one', 24);
    const expected = Array.from({ length: 24 }, (_, i) =>
      i % 2 === 0 ? `UNHEALTHY: HTTP ${501 + i}, 1 in a row` : 'HEALTHY: probe passed, 1 in a row',
    );
    expect(turns).toEqual(expected);
    await daemon.stop('SIGKILL');
    const { history, transitions = [] } = (await keptHealth(dataDir)).get('one') ?? {};
    expect(history).toEqual(expected.slice(-10));
    const times = transitions.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });
});

describe('a status that turns', () => {
  it('is in DNS, DiscoverInstances and GetInstancesHealthStatus before the next probe', async () => {
    const daemon = await journey.start({
      settings: { STORE: 'memory', HEALTH_INTERVAL_MS: '500', HEALTH_RESPONSE_TIMEOUT_MS: '60000' },
    });
    const api = new Api(daemon.endpoint);
    const service = await api.createService(await api.createNamespace('corp.example', 'public'), 'web', check(1));
    const steady = await listen(OK, ownAddress());
    const listener = await listen((n) => (n === 1 ? BAD : HANG), ownAddress());
    // What everybody says when the second and the third probe have come, DNS first of all.
    const seen: object[] = [];
    const tell = async () => {
      const discover = async (filter?: 'HEALTHY' | 'UNHEALTHY' | 'ALL' | 'HEALTHY_OR_ELSE_ALL') =>
        (await api.discover('corp.example', 'web', filter)).ids;
      const { answer } = await dig(daemon.dnsPort, 'web.corp.example', 'A');
      return {
        dns: answer.length,
        omitted: await discover(),
        HEALTHY: await discover('HEALTHY'),
        UNHEALTHY: await discover('UNHEALTHY'),
        ALL: await discover('ALL'),
        HEALTHY_OR_ELSE_ALL: await discover('HEALTHY_OR_ELSE_ALL'),
        statuses: await api.healthOf(service),
      };
    };
    await api.register(service, 'two', steady.attributes);
    await api.register(service, 'one', listener.attributes);
    for (const probes of [2, 3]) {
      await waitFor('the next probe', () => (listener.connections >= probes ? true : null));
      seen.push(await tell());
      listener.release(OK);
    }
    const both = ['one', 'two'];
    expect(seen).toEqual([
      {
        dns: 1,
        omitted: ['two'],
        HEALTHY: ['two'],
        UNHEALTHY: ['one'],
        ALL: both,
        HEALTHY_OR_ELSE_ALL: ['two'],
        statuses: { one: 'UNHEALTHY', two: 'HEALTHY' },
      },
      {
        dns: 2,
        omitted: both,
        HEALTHY: both,
        UNHEALTHY: [],
        ALL: both,
        HEALTHY_OR_ELSE_ALL: both,
        statuses: { one: 'HEALTHY', two: 'HEALTHY' },
      },
    ]);
  });
});

describe('CLOUDMAPD_NEW_INSTANCE=unhealthy', () => {
  it('asks for as many passes as the threshold says before the first answer as healthy', async () => {
    const settings = { STORE: 'memory', HEALTH_INTERVAL_MS: '50', NEW_INSTANCE: 'unhealthy' };
    const daemon = await journey.start({ settings });
    const api = new Api(daemon.endpoint);
    const service = await api.createService(await api.createNamespace('corp.example', 'public'), 'web', check(null));
    const never = await listen(scripted('++-++-++-++-'));
    const soon = await listen(scripted('++-+++'));
    await api.register(service, 'never', never.attributes);
    await api.register(service, 'soon', soon.attributes);
    expect(await api.healthOf(service)).toEqual({ never: 'UNHEALTHY', soon: 'UNHEALTHY' });
    expect(await waitForTurns(daemon, 'soon', 1)).toEqual(['HEALTHY: probe passed, 3 in a row']);
    expect(soon.connections).toBeGreaterThanOrEqual(6);
    await waitFor('the other', () => (never.connections > 13 ? true : null));
    expect(turnsOf(daemon, 'never')).toEqual([]);
    // Failing on is no transition, and never was it healthy.
    expect((await api.discover('corp.example', 'web', 'HEALTHY')).ids).toEqual(['soon']);
  });
});
