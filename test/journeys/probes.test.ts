/** Listeners that answer in every manner, good and bad: what a probe makes of it, and what a probe sends. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { selfSignedCertificate } from '../support/certificates.ts';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { requireIpv6, requireLoopbackBlock, shareDaemon, waitFor } from '../support/journey-tools.ts';
import { type Behaviour, HANG, Listener, OK, ownAddress, respond } from '../support/listeners.ts';
import { keptHealth, type Turn, turnsOf, waitForMore } from '../support/probing.ts';

const DAY_MS = 86_400_000;
const VALID = selfSignedCertificate('web.corp.example', Date.now() - DAY_MS, Date.now() + DAY_MS);
const EXPIRED = selfSignedCertificate('web.corp.example', Date.now() - 2 * DAY_MS, Date.now() - DAY_MS);
const OF_ANOTHER = selfSignedCertificate('other.example', Date.now() - DAY_MS, Date.now() + DAY_MS);

type CheckType = 'HTTP' | 'HTTPS' | 'TCP';
const RESPONSE_TIMEOUT_MS = 1500;

/** TLS of this version alone. OpenSSL's default is to have nothing to do with the first two. */
const tlsOf = (version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') => ({
  ...VALID,
  minVersion: version,
  maxVersion: version,
  ciphers: 'DEFAULT@SECLEVEL=0',
});

type Good = readonly [name: string, type: CheckType, behaviour: Behaviour, tls?: object];
const GOOD: readonly Good[] = [
  ...[200, 204, 299, 301, 302, 304, 307, 399].map((status) => [`${status}`, 'HTTP', respond(status)] as const),
  ['slow-but-in-time', 'HTTP', respond(200, { afterMs: 100 })],
  ['early-hints', 'HTTP', { kind: 'send', text: 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n' }],
  // The head is what counts: nobody waits for the rest.
  ['half-a-body', 'HTTP', { kind: 'send', text: 'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf' }],
  ['self-signed', 'HTTPS', OK, VALID],
  ['expired', 'HTTPS', OK, EXPIRED],
  ['of-another-name', 'HTTPS', OK, OF_ANOTHER],
  ['redirect-over-tls', 'HTTPS', respond(301), VALID],
  ...(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const).map((v) => [v, 'HTTPS', OK, tlsOf(v)] as const),
  ['accepts', 'TCP', HANG],
  ['accepts-and-closes', 'TCP', { kind: 'close' }],
];

const TIMEOUT = `timeout after ${RESPONSE_TIMEOUT_MS} ms`;
type Bad = readonly [name: string, type: CheckType, behaviour: Behaviour | 'refuse', reason: string, tls?: object];
const BAD: readonly Bad[] = [
  ...[400, 404, 500, 503, 600].map((status) => [`${status}`, 'HTTP', respond(status), `HTTP ${status}`] as const),
  ['101', 'HTTP', { kind: 'send', text: 'HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n' }, 'HTTP 101'],
  ['refuses', 'HTTP', 'refuse', 'connect ECONNREFUSED'],
  ['hangs', 'HTTP', HANG, TIMEOUT],
  ['late', 'HTTP', respond(200, { afterMs: 2 * RESPONSE_TIMEOUT_MS }), TIMEOUT],
  ['half-a-status-line', 'HTTP', { kind: 'send', text: 'HTTP/1.1 20' }, TIMEOUT],
  ['half-a-header', 'HTTP', { kind: 'send', text: 'HTTP/1.1 200 OK\r\ncontent-le' }, TIMEOUT],
  ['continue-forever', 'HTTP', { kind: 'send', text: 'HTTP/1.1 100 Continue\r\n\r\n' }, TIMEOUT],
  ['no-http', 'HTTP', { kind: 'blurt', text: 'SSH-2.0-OpenSSH_9.2\r\n' }, 'HPE_INVALID_CONSTANT'],
  ['closes', 'HTTP', { kind: 'close' }, 'ECONNRESET'],
  ['resets', 'HTTP', { kind: 'reset' }, 'ECONNRESET'],
  ['503-over-tls', 'HTTPS', respond(503), 'HTTP 503', VALID],
  ['refuses-tls', 'HTTPS', 'refuse', 'connect ECONNREFUSED', VALID],
  ['no-handshake', 'HTTPS', HANG, TIMEOUT, VALID],
  ['late-over-tls', 'HTTPS', respond(200, { afterMs: 2 * RESPONSE_TIMEOUT_MS }), TIMEOUT, VALID],
  ['no-tls', 'HTTPS', { kind: 'blurt', text: 'HTTP/1.1 200 OK\r\n\r\n' }, 'EPROTO', VALID],
  ['refuses-tcp', 'TCP', 'refuse', 'connect ECONNREFUSED'],
];

describe('a listener', () => {
  const folder = makeFolder();
  const listeners = new Map<string, Listener>();
  const services = {} as Record<CheckType, string>;
  let daemon: RunningDaemon;
  let statuses: Record<string, string> = {};
  let kept: Awaited<ReturnType<typeof keptHealth>>;
  let log: readonly Turn[] = [];

  async function serve(id: string, type: CheckType, script: Listener['script'], tls?: object): Promise<void> {
    const listener = await Listener.open(script, { address: ownAddress(), tls });
    listeners.set(id, listener);
    await new Api(daemon.endpoint).register(services[type], id, listener.attributes);
  }

  // All of them at once: most of the time would be spent on waiting for timeouts.
  beforeAll(async () => {
    daemon = await startTestDaemon({
      dataDir: folder.path,
      // Unhealthy to begin with, so that a pass shows.
      settings: {
        NEW_INSTANCE: 'unhealthy',
        HEALTH_INTERVAL_MS: '100',
        HEALTH_RESPONSE_TIMEOUT_MS: `${RESPONSE_TIMEOUT_MS}`,
      },
    });
    const api = new Api(daemon.endpoint);
    const namespace = await api.createNamespace('corp.example', 'public');
    for (const type of ['HTTP', 'HTTPS', 'TCP'] as const) {
      const HealthCheckConfig = { Type: type, FailureThreshold: 1 };
      services[type] = await api.createService(namespace, type, { HealthCheckConfig });
    }
    await Promise.all([
      ...GOOD.map(([id, type, behaviour, tls]) => serve(`good-${id}`, type, behaviour, tls)),
      ...BAD.map(([id, type, behaviour, , tls]) =>
        serve(
          `bad-${id}`,
          type,
          (n) => {
            // Refuses once this one has been accepted, so that no probe can be on its way.
            if (behaviour === 'refuse') listeners.get(`bad-${id}`)?.refuse();
            // Passes once, so that it is seen to turn.
            return n === 1 || behaviour === 'refuse' ? OK : behaviour;
          },
          tls,
        ),
      ),
    ]);
    await waitFor('the verdicts', () => {
      const turns = Map.groupBy(turnsOf(daemon), ({ instance }) => instance);
      const hasTurned = (id: string, times: number) => (turns.get(id)?.length ?? 0) >= times;
      const areGood = GOOD.every(([id]) => hasTurned(`good-${id}`, 1));
      return areGood && BAD.every(([id]) => hasTurned(`bad-${id}`, 2)) ? true : null;
    });
    // Good ones could still turn.
    await Promise.all(GOOD.map(([id]) => waitForMore(listeners.get(`good-${id}`) as Listener, 2)));
    for (const id of Object.values(services)) statuses = { ...statuses, ...(await api.healthOf(id)) };
    await daemon.stop('SIGKILL');
    log = turnsOf(daemon);
    kept = await keptHealth(folder.path);
  });
  afterAll(async () => {
    await daemon?.stop('SIGKILL');
    for (const listener of listeners.values()) listener.close();
    folder.remove();
  });

  const told = (id: string): string[] =>
    log.filter(({ instance }) => instance === id).map(({ status, reason }) => `${status}: ${reason}`);

  it.each(GOOD)('is healthy: %s (%s)', (id) => {
    const turns = ['HEALTHY: probe passed, 1 in a row'];
    expect(told(`good-${id}`), 'log').toEqual(turns);
    expect(kept.get(`good-${id}`)?.history, 'history').toEqual(turns);
    expect(statuses[`good-${id}`]).toBe('HEALTHY');
  });

  it.each(BAD)('is unhealthy, and the log and the history say why: %s (%s)', (id, _type, _behaviour, reason) => {
    const turns = ['HEALTHY: probe passed, 1 in a row', expect.stringContaining(`${reason}, 1 in a row`)];
    expect(told(`bad-${id}`), 'log').toEqual(turns);
    expect(kept.get(`bad-${id}`)?.history, 'history').toEqual(turns);
    expect(statuses[`bad-${id}`]).toBe('UNHEALTHY');
  });

  it('is sent nothing by a TCP probe', () => {
    expect(listeners.get('good-accepts')?.received.join('')).toBe('');
  });
});

describe('a probe', () => {
  const sharedDaemon = shareDaemon({ settings: { STORE: 'memory', HEALTH_INTERVAL_MS: '60' } });
  const open: Listener[] = [];
  let daemon: RunningDaemon;
  let api: Api;
  let namespace: string;
  beforeEach(async () => {
    daemon = sharedDaemon();
    api = new Api(daemon.endpoint);
    namespace = await api.createNamespace('corp.example', 'public');
  });
  afterEach(async () => {
    await api.wipe();
    for (const listener of open.splice(0)) listener.close();
  });

  const listen = async (...args: Parameters<typeof Listener.open>): Promise<Listener> => {
    const listener = await Listener.open(...args);
    open.push(listener);
    return listener;
  };
  const healthOf = async (service: string) => (await api.healthOf(service)) ?? {};

  it.each([
    ['/', {}],
    ['/', { ResourcePath: '/' }],
    ['/up?deep=1&x=%20%2f;a=b', { ResourcePath: '/up?deep=1&x=%20%2f;a=b' }],
    ['//a/../b//?/?', { ResourcePath: '//a/../b//?/?' }],
    ['/up', { ResourcePath: 'up' }],
  ])('asks for %s where the check says %o', async (path, check) => {
    const listener = await listen(OK);
    const HealthCheckConfig = { Type: 'HTTP' as const, ...check };
    await api.register(await api.createService(namespace, 'web', { HealthCheckConfig }), 'one', listener.attributes);
    await waitForMore(listener, 2);
    const lines = listener.requests.map((request) => request.split('\r\n', 1)[0]);
    expect([...new Set(lines)]).toEqual([`GET ${path} HTTP/1.1`]);
  });

  it.each(['HTTP', 'HTTPS'] as const)("names the service's DNS name and the port: %s", async (type) => {
    const tls = type === 'HTTPS' ? VALID : undefined;
    const listener = await listen(OK, { tls });
    const other = await listen(OK, { tls });
    const HealthCheckConfig = { Type: type };
    const upper = await api.createService(namespace, 'Web', { HealthCheckConfig });
    await api.register(upper, 'one', listener.attributes);
    const apex = await api.createService(namespace, '.', { HealthCheckConfig });
    await api.register(apex, 'two', other.attributes);
    await waitForMore(listener, 2);
    await waitForMore(other, 2);
    expect(hostsOf(listener)).toEqual([`web.corp.example:${listener.port}`]);
    expect(hostsOf(other)).toEqual([`corp.example:${other.port}`]);
  });

  it('follows no redirect', async () => {
    const target = await listen(respond(500));
    const headers = `location: http://${target.address}:${target.port}/\r\n`;
    const listener = await listen(respond(302, { headers }));
    const HealthCheckConfig = { Type: 'HTTP' as const, FailureThreshold: 1 };
    const service = await api.createService(namespace, 'web', { HealthCheckConfig });
    await api.register(service, 'one', listener.attributes);
    await waitForMore(listener, 4);
    expect(target.connections).toBe(0);
    expect(await healthOf(service)).toEqual({ one: 'HEALTHY' });
  });

  it('is of IPv4 where there are both, and speaks for both records', async (context) => {
    requireIpv6(context);
    requireLoopbackBlock(context);
    const { v4, v6 } = await listenOnBoth();
    const second = await listen(OK, { address: ownAddress() });
    const HealthCheckConfig = { Type: 'HTTP' as const, FailureThreshold: 1 };
    const service = await api.createService(namespace, 'web', {
      HealthCheckConfig,
      records: [
        ['A', 60],
        ['AAAA', 60],
      ],
    });
    await api.register(service, 'one', { ...v6.attributes, ...v4.attributes });
    await api.register(service, 'two', { ...second.attributes, AWS_INSTANCE_IPV6: 'fd00::2' });
    const answered = async (type: 'A' | 'AAAA') =>
      (await dig(daemon.dnsPort, 'web.corp.example', type)).answer.map((record) => record.split(' ').at(-1)).sort();
    await waitForMore(v4, 1);
    expect(await answered('A')).toEqual([v4.address, second.address].sort());
    expect(await answered('AAAA')).toEqual(['::1', 'fd00::2']);
    v4.refuse();
    await waitFor('the verdict', async () => ((await healthOf(service)).one === 'UNHEALTHY' ? true : null));
    // The verdict itself is not an answered call: DNS follows it in its own time.
    await waitFor('DNS', async () => ((await answered('A')).length === 1 ? true : null));
    expect(await answered('A')).toEqual([second.address]);
    expect(await answered('AAAA')).toEqual(['fd00::2']);
    expect(v6.connections).toBe(0);
  });

  it('is of IPv6 where that is all there is', async (context) => {
    requireIpv6(context);
    const listener = await listen(OK, { address: '::1' });
    const HealthCheckConfig = { Type: 'HTTP' as const, FailureThreshold: 1 };
    const service = await api.createService(namespace, 'web', { HealthCheckConfig, records: [['AAAA', 60]] });
    await api.register(service, 'one', listener.attributes);
    await waitForMore(listener, 2);
    expect(hostsOf(listener)).toEqual([`web.corp.example:${listener.port}`]);
    listener.script = respond(500);
    await waitFor('the verdict', async () => ((await healthOf(service)).one === 'UNHEALTHY' ? true : null));
  });

  /** One port in both families. */
  async function listenOnBoth(): Promise<{ v4: Listener; v6: Listener }> {
    return waitFor('a port that is free in both families', async () => {
      const v4 = await listen(OK, { address: ownAddress() });
      const v6 = await listen(OK, { address: '::1', port: v4.port }).catch(() => null);
      return v6 === null ? null : { v4, v6 };
    });
  }
});

function hostsOf(listener: Listener): string[] {
  const hosts = listener.requests.map((text) => /^host: (.*)\r$/im.exec(text)?.[1] ?? '');
  return [...new Set(hosts)];
}
