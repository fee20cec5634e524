/** `/metrics` of a running daemon: what is done to it is counted, once, under the right labels. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAMILIES } from '../../src/admin/metric-families.ts';
import { askTcp, askUdp, buildQuery } from '../support/dns.ts';
import { NEVER, onlyAddress, replyTo } from '../support/fake-upstream.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, shareDaemon, waitFor } from '../support/journey-tools.ts';
import { Listener, OK, respond } from '../support/listeners.ts';
import { type Metrics, scrape } from '../support/metrics.ts';

const QUERIES = 'cloudmapd_dns_queries_total';
const DURATIONS = 'cloudmapd_dns_query_duration_seconds';

/** How much each counter has grown meanwhile, by what the samples have in common. */
async function grown(endpoint: string, what: () => Promise<unknown>) {
  const before = await scrape(endpoint);
  await what();
  const after = await scrape(endpoint);
  return {
    by: (name: string, labels: Readonly<Record<string, string>> = {}) =>
      after.value(name, labels) - before.value(name, labels),
  };
}

const CONTENT = `namespaces:
  - name: own.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        instances: [{ id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.7 } }]
records: [{ name: fixed.example, type: A, value: 10.0.0.5 }]
`;

describe('DNS queries are counted', () => {
  const forwarding = shareForwarding({
    behaviours: [onlyAddress('192.0.2.1')],
    file: () => CONTENT,
    settings: () => ({ REFUSE: 'refused.example', FAULTS: 'true' }),
  });
  const query = buildQuery('web.own.internal', 'A');
  const badVersion = Uint8Array.from(buildQuery('web.own.internal', 'A', { edns: 1232 }));
  badVersion[badVersion.length - 5] = 9;
  const opcode = Uint8Array.from(query);
  opcode[2] = 0x20;

  it.each([
    ['A', 'NOERROR', 'zone', query],
    ['AAAA', 'NOERROR', 'zone', buildQuery('web.own.internal', 'AAAA')],
    ['SRV', 'NXDOMAIN', 'zone', buildQuery('nothing.own.internal', 'SRV')],
    ['A', 'NOERROR', 'local', buildQuery('fixed.example', 'A')],
    ['A', 'REFUSED', 'refused', buildQuery('x.refused.example', 'A', { rd: true })],
    ['PTR', 'NXDOMAIN', 'rule', buildQuery('1.0.0.10.in-addr.arpa', 'PTR', { rd: true })],
    ['other', 'NOERROR', 'zone', buildQuery('web.own.internal', 'MX')],
    ['A', 'REFUSED', 'error', buildQuery('web.own.internal', 'A', { qclass: 3 })],
    ['other', 'FORMERR', 'error', query.subarray(0, 20)],
    ['other', 'NOTIMP', 'error', opcode],
    // Its RCODE is in the OPT record; in the header stands that of NOERROR.
    ['A', 'other', 'error', badVersion],
  ])('%s, %s, %s, over UDP and TCP', async (type, rcode, outcome, bytes) => {
    const { daemon } = forwarding();
    const labels = { type, rcode, outcome };
    const counted = await grown(daemon.endpoint, async () => {
      await askUdp(daemon.dnsPort, bytes);
      await askTcp(daemon.dnsPort, [bytes, bytes]);
    });
    expect([QUERIES, `${DURATIONS}_count`].map((name) => counted.by(name))).toEqual([3, 3]);
    expect(counted.by(QUERIES, { ...labels, transport: 'udp' })).toBe(1);
    expect(counted.by(QUERIES, { ...labels, transport: 'tcp' })).toBe(2);
    expect(counted.by(`${DURATIONS}_count`, { transport: 'tcp', source: 'local' })).toBe(2);
    expect(counted.by(`${DURATIONS}_bucket`, { transport: 'tcp', source: 'local', le: '+Inf' })).toBe(2);
    expect(counted.by(`${DURATIONS}_sum`)).toBeGreaterThan(0);
  });

  it('dropped', async () => {
    const { daemon } = forwarding();
    const reply = Uint8Array.from(query);
    reply[2] = 0x80;
    const counted = await grown(daemon.endpoint, async () => {
      await askUdp(daemon.dnsPort, reply, { timeoutMs: 10 });
      // What comes behind it has been counted when this is answered.
      await askUdp(daemon.dnsPort, query);
    });
    expect(counted.by(QUERIES, { outcome: 'dropped', transport: 'udp', type: 'other', rcode: 'none' })).toBe(1);
    expect(counted.by(QUERIES)).toBe(2);
    expect(counted.by(`${DURATIONS}_count`)).toBe(1);
  });

  it('asked of an upstream, and then of the cache', async () => {
    const { daemon, upstream, ask } = forwarding();
    const { address, port } = upstream;
    const labels = { transport: 'udp', source: 'upstream' };
    const first = await grown(daemon.endpoint, () => ask('www.example.com A'));
    expect(first.by(QUERIES, { type: 'A', rcode: 'NOERROR', outcome: 'upstream' })).toBe(1);
    expect(first.by(`${DURATIONS}_count`, labels)).toBe(1);
    expect(first.by(`${DURATIONS}_count`, { source: 'local' })).toBe(0);
    expect(first.by('cloudmapd_cache_lookups_total', { result: 'miss' })).toBe(1);
    expect(first.by('cloudmapd_cache_entries')).toBe(1);
    expect(first.by('cloudmapd_cache_bytes')).toBeGreaterThan(0);
    expect(first.by('cloudmapd_upstream_queries_total', { upstream: `${address}:${port}` })).toBe(1);
    expect(first.by('cloudmapd_upstream_response_seconds_count', { upstream: `${address}:${port}` })).toBe(1);
    expect(first.by('cloudmapd_upstream_failures_total')).toBe(0);
    const second = await grown(daemon.endpoint, () => ask('www.example.com A'));
    expect(second.by(QUERIES, { type: 'A', rcode: 'NOERROR', outcome: 'cache' })).toBe(1);
    expect(second.by(`${DURATIONS}_count`, labels)).toBe(0);
    expect(second.by('cloudmapd_cache_lookups_total', { result: 'hit' })).toBe(1);
    expect(second.by('cloudmapd_upstream_queries_total')).toBe(0);
    expect((await scrape(daemon.endpoint)).value('cloudmapd_cache_limit_bytes')).toBe(16_777_216);
  });

  it('held up by an injected delay: as what they are answered by then', async () => {
    const { daemon, ask } = forwarding();
    const faults = `${daemon.endpoint}/admin/faults`;
    const delay = { fault: 'delay', delayMs: 5, below: true };
    for (const name of ['own.internal', 'slow.example']) {
      await fetch(faults, { method: 'POST', body: JSON.stringify({ dns: { name, ...delay } }) });
    }
    const counted = await grown(daemon.endpoint, async () => {
      await askUdp(daemon.dnsPort, query);
      await askTcp(daemon.dnsPort, [query]);
      await ask('www.slow.example A');
      await ask('www.slow.example A');
    });
    await fetch(faults, { method: 'DELETE' });
    expect(['zone', 'upstream', 'cache'].map((outcome) => counted.by(QUERIES, { outcome }))).toEqual([2, 1, 1]);
    expect(counted.by(`${DURATIONS}_count`, { source: 'upstream' })).toBe(1);
    expect(counted.by(`${DURATIONS}_count`, { source: 'local' })).toBe(3);
    expect(counted.by(`${DURATIONS}_bucket`, { source: 'local', le: '0.001' })).toBe(0);
  });

  it('that an upstream gave no answer to', async () => {
    const { daemon, upstream, ask } = forwarding();
    upstream.behaviour = () => NEVER;
    const counted = await grown(daemon.endpoint, () => ask('silent.example.com A', { overTcp: true }));
    expect(counted.by(QUERIES, { transport: 'tcp', rcode: 'SERVFAIL', outcome: 'failed' })).toBe(1);
    expect(counted.by(`${DURATIONS}_count`, { transport: 'tcp', source: 'upstream' })).toBe(1);
    // It was waited for: what is below the last tenths of a second has none.
    expect(counted.by(`${DURATIONS}_bucket`, { transport: 'tcp', source: 'upstream', le: '0.25' })).toBe(0);
    expect(counted.by('cloudmapd_upstream_failures_total')).toBeGreaterThan(0);
    expect(counted.by('cloudmapd_upstream_queries_total')).toBeGreaterThan(1);
  });
});

describe('look-ups of aliases', () => {
  const forwarding = shareForwarding({ behaviours: [onlyAddress('192.0.2.1')] });

  it('are counted with what the answering threads ask of the same upstreams', async () => {
    const { daemon, upstream, ask } = forwarding();
    const labels = { upstream: upstream.endpoint };
    const [queries, replies] = ['cloudmapd_upstream_queries_total', 'cloudmapd_upstream_response_seconds_count'];
    const api = new Api(daemon.endpoint);
    const namespace = await api.createNamespace('corp.internal');
    const service = await api.createService(namespace, 'lb', { policy: 'WEIGHTED' });
    const before = await scrape(daemon.endpoint);
    await ask('www.example A');
    await api.register(service, 'lb-1', { AWS_ALIAS_DNS_NAME: 'balancer.example' });
    await waitFor('its addresses', async () => ((await ask('lb.corp.internal A')).answer.length === 1 ? true : null));
    const after = await scrape(daemon.endpoint);
    // For A and AAAA.
    expect(upstream.timesAsked('balancer.example')).toBe(2);
    expect(after.value(queries as string, labels) - before.value(queries as string, labels)).toBe(3);
    expect(after.value(replies as string, labels) - before.value(replies as string, labels)).toBe(3);
    expect(after.labels(queries as string)).toEqual([labels]);
  });

  it('that come to nothing are failures', async () => {
    const { daemon, upstream } = forwarding();
    upstream.behaviour = (query) => [replyTo(query, { rcode: 'SERVFAIL', records: 0 })];
    const api = new Api(daemon.endpoint);
    const service = await api.createService(await api.createNamespace('other.internal'), 'lb', { policy: 'WEIGHTED' });
    await api.register(service, 'lb-1', { AWS_ALIAS_DNS_NAME: 'ill.example' });
    await waitFor('both failures', async () =>
      (await scrape(daemon.endpoint)).value('cloudmapd_upstream_failures_total') >= 2 ? true : null,
    );
  });
});

describe('the daemon', () => {
  const daemon = shareDaemon({ settings: { STORE: 'memory', HEALTH_INTERVAL_MS: '100', DNS_THREADS: '2' } });
  const call = (operation: string, body = '{}', headers: Record<string, string> = {}) =>
    fetch(daemon().endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': `Route53AutoNaming_v20170314.${operation}`, ...headers },
      body,
    });

  it('counts calls by operation and error, and what is no operation under one name', async () => {
    const { endpoint } = daemon();
    const counted = await grown(endpoint, async () => {
      await call('ListNamespaces');
      await call('ListNamespaces');
      await call('GetNamespace', '{"Id":"ns-aaaaaaaaaaaaaaaa"}');
      await call('GetNamespace', '{"Id":7}');
      await call('GetNamespace', 'no JSON');
      for (const name of ['Nothing', '__proto__', 'x'.repeat(500)]) await call(name);
      await call('ListServices', '{}', { origin: 'http://elsewhere.example' });
      await fetch(`${endpoint}/healthz`);
    });
    const calls = 'cloudmapd_api_calls_total';
    expect(counted.by(calls)).toBe(9);
    expect(counted.by(calls, { operation: 'ListNamespaces', error: 'none' })).toBe(2);
    expect(counted.by(calls, { operation: 'GetNamespace', error: 'NamespaceNotFound' })).toBe(1);
    expect(counted.by(calls, { operation: 'GetNamespace', error: 'SerializationException' })).toBe(2);
    expect(counted.by(calls, { operation: 'unknown', error: 'UnknownOperationException' })).toBe(3);
    expect(counted.by(calls, { operation: 'ListServices', error: 'AccessDeniedException' })).toBe(1);
    const durations = 'cloudmapd_api_call_duration_seconds';
    expect(counted.by(`${durations}_count`, { operation: 'ListNamespaces' })).toBe(2);
    expect(counted.by(`${durations}_bucket`, { operation: 'ListNamespaces', le: '+Inf' })).toBe(2);
    expect(counted.by(`${durations}_sum`, { operation: 'ListNamespaces' })).toBeGreaterThan(0);
  });

  it('counts what is registered, commits, probes and transitions', async () => {
    const { endpoint } = daemon();
    const api = new Api(endpoint);
    const listener = await Listener.open(OK);
    const before = await scrape(endpoint);
    const namespace = await api.createNamespace('corp.internal', 'public');
    const plain = await api.createService(namespace, 'plain');
    const checked = await api.createService(namespace, 'checked', {
      HealthCheckConfig: { Type: 'HTTP', FailureThreshold: 1 },
    });
    await api.register(plain, 'p-1', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    const address = { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: String(listener.port) };
    await api.register(checked, 'c-1', address);
    const until = (what: string, holds: (metrics: Metrics) => boolean): Promise<Metrics> =>
      waitFor(what, async () => {
        const metrics = await scrape(endpoint);
        return holds(metrics) ? metrics : null;
      });
    const probes = 'cloudmapd_health_probes_total';
    await until('a probe that passes', (metrics) => metrics.value(probes, { type: 'HTTP', result: 'passed' }) > 0);
    listener.script = respond(500);
    const after = await until(
      'the transition',
      (metrics) => metrics.value('cloudmapd_health_transitions_total', { status: 'UNHEALTHY' }) > 0,
    );
    expect(after.value(probes, { type: 'HTTP', result: 'failed' })).toBeGreaterThan(0);
    expect(after.value('cloudmapd_health_transitions_total')).toBe(1);
    expect(after.value('cloudmapd_namespaces') - before.value('cloudmapd_namespaces')).toBe(1);
    expect(after.value('cloudmapd_services') - before.value('cloudmapd_services')).toBe(2);
    expect(['HEALTHY', 'UNHEALTHY', 'UNKNOWN'].map((health) => after.value('cloudmapd_instances', { health }))).toEqual(
      [0, 1, 1],
    );
    const commits = 'cloudmapd_store_commits_total';
    expect(after.value(commits, { result: 'ok' })).toBeGreaterThanOrEqual(before.value(commits) + 5);
    expect(after.value(commits, { result: 'failed' })).toBe(0);
    expect(after.value('cloudmapd_store_commit_duration_seconds_count')).toBe(after.value(commits));
    await api.deregister(plain, 'p-1');
    expect((await scrape(endpoint)).value('cloudmapd_instances', { health: 'UNKNOWN' })).toBe(0);
    await listener.close();
    api.sdk.destroy();
  });

  it('says what it is, and what its process takes', async () => {
    const metrics = await scrape(daemon().endpoint);
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(metrics.value('cloudmapd_build_info', { version, node: process.version })).toBe(1);
    expect(metrics.value('cloudmapd_dns_threads')).toBe(2);
    // From its start on, not from when it was first asked.
    const status = readFileSync(`/proc/${daemon().pid}/stat`, 'utf8').split(') ')[1]?.split(' ') as string[];
    const seconds = (Number(status[11]) + Number(status[12])) / 100;
    expect(metrics.value('process_cpu_seconds_total')).toBeGreaterThan(0.5 * seconds);
    expect(metrics.value('process_resident_memory_bytes')).toBeGreaterThan(20e6);
    expect(metrics.labels('nodejs_eventloop_lag_p99_seconds')).toEqual([{}]);
  });

  it('is asked under any name, as whoever scrapes it in a network of containers does', async () => {
    const { httpPort } = daemon();
    const { status } = await new Promise<{ status: number | undefined }>((resolve, reject) => {
      const { request } = process.getBuiltinModule('node:http');
      const sent = request({ port: httpPort, path: '/metrics', headers: { host: 'cloudmapd:8053' } }, (response) => {
        response.resume().once('end', () => resolve({ status: response.statusCode }));
      });
      sent.once('error', reject);
      sent.end();
    });
    expect(status).toBe(200);
  });
});

describe('label sets', () => {
  const journey = setUpJourney();

  it('are no more after thousands of names, operations and clients', async () => {
    const { endpoint, dnsPort } = await journey.start({ settings: { STORE: 'memory' } });
    const series = async () =>
      (await scrape(endpoint)).text.split('\n').filter((line) => /^cloudmapd/.test(line)).length;
    const ask = async (n: number) => {
      await askUdp(dnsPort, buildQuery(`name-${n}.example`, 1000 + n));
      await fetch(endpoint, { method: 'POST', headers: { 'x-amz-target': `Route53AutoNaming_v20170314.X${n}` } });
    };
    await ask(0);
    const before = await series();
    for (let n = 1; n < 200; n++) await ask(n);
    expect(await series()).toBe(before);
  });
});

describe('the README', () => {
  it('has every metric of our own in its table, and no other', () => {
    const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
    const named = [...readme.matchAll(/^\| `(cloudmapd_[a-z_]+)`/gm)].map((match) => match[1]);
    const own = FAMILIES.map(({ name }) => name).filter((name) => name.startsWith('cloudmapd_'));
    expect(named.sort()).toEqual(own.sort());
  });
});
