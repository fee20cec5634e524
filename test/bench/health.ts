/**
 * `health`: 10,000 instances probed over HTTP every 10 s by a daemon on one core, their listeners in one other process.
 * The figures are the DNS latency while it probes against that while it does not, in the same run, and the CPU time
 * that a probe costs.
 */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildQuery } from '../support/dns.ts';
import { listenerAddress } from './health-listeners.ts';
import { CLIENT_CORE, cpuSeconds, folder, median, ROOT, SERVER_CORE, startOn } from './support.ts';

const INSTANCES = 10_000;
const PER_SERVICE = 1000;
const INTERVAL_MS = 10_000;
const LISTENER_PORT = 8155;
const ROUNDS = 3;
const SECONDS = 12;
const QUERIES_PER_SECOND = 1000;
const NODE = join(ROOT, 'node_modules/.bin/node');

interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly lost: number;
}

export async function benchHealth(): Promise<void> {
  await startOn(
    CLIENT_CORE,
    NODE,
    [join(ROOT, 'test/bench/health-listeners.ts'), String(INSTANCES), String(LISTENER_PORT)],
    'listening',
  );
  const probing = await startDaemon('probing', INTERVAL_MS, 1154);
  // The same daemon with the same content, whose next probe is an hour away.
  await startDaemon('resting', 3_600_000, 1155);
  const figures = { probing: [] as Latency[], resting: [] as Latency[] };
  const probeCosts: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    figures.resting.push(await measure(1155));
    const before = cpuSeconds(probing.pid as number);
    const latency = await measure(1154);
    const probes = (INSTANCES * SECONDS * 1000) / INTERVAL_MS;
    probeCosts.push(((cpuSeconds(probing.pid as number) - before) / probes) * 1e6);
    figures.probing.push(latency);
  }
  console.log(
    `health: ${INSTANCES} HTTP probes every ${INTERVAL_MS / 1000} s, ${QUERIES_PER_SECOND} queries/s, ${ROUNDS} rounds of ${SECONDS} s, the daemon on one core`,
  );
  for (const [name, list] of Object.entries(figures)) {
    const [p50, p99] = [median(list.map((f) => f.p50)), median(list.map((f) => f.p99))];
    const lost = list.reduce((sum, f) => sum + f.lost, 0);
    console.log(`  ${name.padEnd(8)} DNS p50 ${p50.toFixed(2)} ms  p99 ${p99.toFixed(2)} ms  ${lost} lost`);
  }
  const ratio = median(figures.probing.map((f, i) => f.p99 / (figures.resting[i] as Latency).p99));
  console.log(
    `  p99 while probing is ${ratio.toFixed(2)} of p99 at rest; ${median(probeCosts).toFixed(0)} CPU us of the daemon per probe, answers included`,
  );
}

async function startDaemon(name: string, intervalMs: number, port: number): Promise<ChildProcess> {
  const services = Array.from({ length: INSTANCES / PER_SERVICE }, (_, s) => {
    const instances = Array.from({ length: PER_SERVICE }, (_, i) => {
      const address = listenerAddress(s * PER_SERVICE + i);
      return `          - { id: i-${i}, attributes: { AWS_INSTANCE_IPV4: ${address}, AWS_INSTANCE_PORT: "${LISTENER_PORT}" } }`;
    });
    return `      - name: s${s}
        dns: { records: [{ type: A, ttl: 10 }] }
        healthCheck: { type: HTTP, path: / }
        instances:\n${instances.join('\n')}`;
  });
  const file = join(folder, `health-${name}.yaml`);
  writeFileSync(
    file,
    `namespaces:\n  - name: bench.example\n    type: DNS_PUBLIC\n    services:\n${services.join('\n')}\n`,
  );
  return startOn(SERVER_CORE, NODE, [join(ROOT, 'src/main.ts'), 'serve'], 'list-namespaces', {
    CLOUDMAPD_CONFIG: file,
    CLOUDMAPD_STORE: 'memory',
    CLOUDMAPD_LOG: 'error',
    CLOUDMAPD_HTTP: '127.0.0.1:0',
    CLOUDMAPD_DNS: `127.0.0.1:${port}`,
    CLOUDMAPD_HEALTH_INTERVAL_MS: String(intervalMs),
  });
}

/** Asks at an even pace from a process of its own, which nothing but DNS keeps busy. */
async function measure(port: number): Promise<Latency> {
  const queries = Array.from({ length: INSTANCES / PER_SERVICE }, (_, s) =>
    Buffer.from(buildQuery(`s${s}.bench.example`, 'A')).toString('hex'),
  );
  const client = await startOn(
    CLIENT_CORE,
    NODE,
    [join(ROOT, 'test/bench/paced-client.ts'), String(port), String(QUERIES_PER_SECOND), String(SECONDS), ...queries],
    'asking',
  );
  let said = '';
  client.stdout?.on('data', (chunk) => {
    said += chunk;
  });
  await new Promise((resolve) => client.once('close', resolve));
  return JSON.parse(said.slice(said.indexOf('{'))) as Latency;
}
