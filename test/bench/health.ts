/**
 * `health`: 10,000 instances probed over HTTP every 10 s by a daemon on one core, their listeners in one other process.
 * The figures are the DNS latency while it probes against that while it does not, in the same run, and the CPU time
 * that a probe costs.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Latency, latencyRows, measureLatency } from './dnsperf.ts';
import { listenerAddress } from './health-listeners.ts';
import { type Daemon, startDaemon } from './peers/cloudmapd.ts';
import { type BenchOptions, CLOUDMAPD, type Section } from './report.ts';
import { CLIENT_CORE, cpuSeconds, folder, freePort, isInstalled, ROOT, startOn } from './support.ts';

const INSTANCES = 10_000;
const PER_SERVICE = 1000;
const INTERVAL_MS = 10_000;
const QUERIES_PER_SECOND = 1000;
const RESTING = 'while no probes are due';

export async function benchHealth({ isQuick }: BenchOptions): Promise<Section[]> {
  const [rounds, seconds] = isQuick ? [2, 5] : [3, 12];
  const title = `${INSTANCES} HTTP probes every ${INTERVAL_MS / 1000} s, ${QUERIES_PER_SECOND} queries/s, ${rounds} rounds of ${seconds} s, the daemon on one core`;
  if (!isInstalled('dnsperf')) {
    return [
      {
        bench: 'health',
        title,
        rows: [],
        notes: ['left out, dnsperf is not installed (Debian: apt-get install dnsperf)'],
      },
    ];
  }
  const port = await freePort();
  const listeners = [join(ROOT, 'test/bench/health-listeners.ts'), String(INSTANCES), String(port)];
  await startOn(CLIENT_CORE, process.execPath, listeners, 'listening');
  const probing = await start('probing', port, INTERVAL_MS);
  // The same daemon with the same content, whose next probe is an hour away.
  const resting = await start('resting', port, 3_600_000);
  const queries = join(folder, 'health-queries');
  writeFileSync(queries, Array.from({ length: INSTANCES / PER_SERVICE }, (_, s) => `s${s}.bench.example A\n`).join(''));
  const load = { queries, perSecond: QUERIES_PER_SECOND, seconds };

  const figures = new Map<string, Latency[]>([
    [CLOUDMAPD, []],
    [RESTING, []],
  ]);
  const costs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    figures.get(RESTING)?.push(await measureLatency(resting.port, load));
    const before = cpuSeconds(probing.pid);
    const startedAt = performance.now();
    figures.get(CLOUDMAPD)?.push(await measureLatency(probing.port, load));
    const probes = (INSTANCES * (performance.now() - startedAt)) / INTERVAL_MS;
    costs.push(((cpuSeconds(probing.pid) - before) / probes) * 1e6);
  }
  const rows = [
    ...latencyRows(figures, null),
    { name: 'a probe, answers to DNS included', unit: 'CPU us', series: { [CLOUDMAPD]: costs }, target: null },
  ];
  return [{ bench: 'health', title, rows, notes: [] }];
}

async function start(name: string, listenerPort: number, intervalMs: number): Promise<Daemon> {
  const services = Array.from({ length: INSTANCES / PER_SERVICE }, (_, s) => ({
    name: `s${s}`,
    dns: { records: [{ type: 'A', ttl: 10 }] },
    healthCheck: { type: 'HTTP', path: '/' },
    instances: Array.from({ length: PER_SERVICE }, (_, i) => ({
      id: `i-${i}`,
      attributes: { AWS_INSTANCE_IPV4: listenerAddress(s * PER_SERVICE + i), AWS_INSTANCE_PORT: String(listenerPort) },
    })),
  }));
  const file = join(folder, `health-${name}.yaml`);
  // YAML is a superset of JSON.
  writeFileSync(file, JSON.stringify({ namespaces: [{ name: 'bench.example', type: 'DNS_PUBLIC', services }] }));
  return startDaemon({ CONFIG: file, LOG: 'error', HEALTH_INTERVAL_MS: String(intervalMs) });
}
