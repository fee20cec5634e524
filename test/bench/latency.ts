/**
 * `latency`: how long answers take while registrations run at full speed, 20,000 queries/s at an even pace. NSD is asked
 * at the same pace while the very same registrations go to the very same cloudmapd, so that both are held up by the same.
 *
 * The machine has two cores for all of it. The servers share one: cloudmapd's answering thread takes turns with the main
 * thread that registers, and NSD takes turns with that thread too. The clients share the other one; there the
 * registering client gives way to dnsperf (nice), as a client that is held up would count as a late answer.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callerOf } from './calls.ts';
import { type Latency, latencyRows, measureLatency } from './dnsperf.ts';
import { startDaemon } from './peers/cloudmapd.ts';
import { nsd } from './peers/nsd.ts';
import type { Server } from './peers/peer.ts';
import type { BenchOptions, Row, Section } from './report.ts';
import { CLIENT_CORE, folder, isInstalled, ROOT, startOn } from './support.ts';

const NAMES = 1000;
const SERVICES = 100;
const CONNECTIONS = 64;
const QUERIES_PER_SECOND = 20_000;
const APEX = 'bench.internal';

export async function benchLatency({ isQuick }: BenchOptions): Promise<Section[]> {
  const [rounds, seconds] = isQuick ? [3, 2] : [7, 8];
  const title = `${QUERIES_PER_SECOND} queries/s while registrations run at full speed over ${CONNECTIONS} connections, ${rounds} rounds of ${seconds} s; in brackets cloudmapd's as a multiple of it`;
  if (!isInstalled('dnsperf')) {
    const note = 'left out, dnsperf is not installed (Debian: apt-get install dnsperf)';
    return [{ bench: 'latency', title, rows: [], notes: [note] }];
  }
  const names = Array.from({ length: NAMES }, (_, i) => `q${i}.${APEX}`);
  const hosts = names.map((name, i) => ({ name, addresses: [`10.9.${i >> 8}.${i & 255}`] }));
  const queries = join(folder, 'latency-queries');
  writeFileSync(queries, names.map((name) => `${name} A\n`).join(''));

  const daemon = await startDaemon({
    STORE: 'sqlite',
    DATA_DIR: join(folder, 'latency'),
    QUOTA_INSTANCES_PER_NAMESPACE: '0',
  });
  const caller = callerOf(daemon.http, CONNECTIONS);
  const namespace = await caller.createNamespace(APEX);
  await Promise.all(
    hosts.map(async ({ addresses }, i) => {
      await caller.register(await caller.createService(namespace, `q${i}`), 'i', addresses[0] as string);
    }),
  );
  const services = await Promise.all(
    Array.from({ length: SERVICES }, (_, i) => caller.createService(namespace, `s${i}`)),
  );
  caller.close();
  const servers: Server[] = [daemon];
  if (isInstalled('nsd')) servers.push(await nsd().start([{ apex: APEX, hosts, srvs: [] }]));

  const client = await startOn(
    CLIENT_CORE,
    'nice',
    [
      '-n',
      '19',
      process.execPath,
      join(ROOT, 'test/bench/registering-client.ts'),
      `${daemon.http}`,
      `${CONNECTIONS}`,
      ...services,
    ],
    'registering',
  );
  const figures = new Map<string, Latency[]>(servers.map(({ name }) => [name, []]));
  const rates = new Map<string, number[]>(servers.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, port } of servers) {
      const [before, startedAt] = [await answeredOf(client), performance.now()];
      const figure = await measureLatency(port, { queries, perSecond: QUERIES_PER_SECOND, seconds });
      const rate = ((await answeredOf(client)) - before) / ((performance.now() - startedAt) / 1000);
      // The first round is not counted: code is still being compiled.
      if (round === 0) continue;
      figures.get(name)?.push(figure);
      rates.get(name)?.push(rate);
    }
  }
  const rows: Row[] = [
    ...latencyRows(figures, { atMost: 2, of: ['NSD'] }),
    { name: 'registrations meanwhile', unit: '/s', series: Object.fromEntries(rates), target: null },
  ];
  const notes = isInstalled('nsd') ? [] : ['NSD left out, it is not installed (Debian: apt-get install nsd)'];
  return [{ bench: 'latency', title, rows, notes }];
}

/** Calls that the registering client had answers for. @throws Error where it has ended */
async function answeredOf(client: ChildProcess): Promise<number> {
  if (client.exitCode !== null) throw new Error('the registering client has ended');
  client.kill('SIGUSR2');
  const [said] = await once(client.stdout as NodeJS.ReadableStream, 'data');
  return Number(said);
}
