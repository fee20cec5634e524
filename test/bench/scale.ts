/**
 * `scale`: from 100 to 1,000,000 instances. A daemon starts from a store that has them already, on all cores as it would
 * for anyone: how long until DNS is answered from it, and until the API is ready; what each instance costs in memory.
 * Then, on one core, what an answer costs when any name may be asked for, and how much more that is than with 100
 * instances, beside NSD with the same names. The servers with 100 instances are measured again in each round, so that
 * what the machine does meanwhile is in both. Of a name's ten addresses cloudmapd answers eight, as Cloud Map does with
 * MULTIVALUE; NSD all. At last the largest number comes in by import, and is read back whole after a restart.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { costRows, type Figure, FULL_LOAD, measure } from './dnsperf.ts';
import { nsd } from './peers/nsd.ts';
import type { Server } from './peers/peer.ts';
import { type BenchOptions, CLOUDMAPD, type Row, type Section, type Target } from './report.ts';
import { PER_SERVICE, scaleZones } from './scale-content.ts';
import { probedNames, type Started, start } from './scale-daemon.ts';
import { benchTransfer } from './scale-transfer.ts';
import {
  folder,
  isInstalled,
  makeHome,
  pin,
  ROOT,
  residentBytes,
  SERVER_CORE,
  shuffled,
  sleep,
  stop,
} from './support.ts';

const SMALLEST = 100;
/** From here on what a process holds anyway is lost in the noise no more. */
const LARGE = 100_000;
const LARGEST = 1_000_000;
const PEER = 'NSD';
export async function benchScale({ isQuick }: BenchOptions): Promise<Section[]> {
  const sizes = isQuick ? [SMALLEST, LARGE] : [SMALLEST, 1000, 10_000, LARGE, LARGEST];
  const [rounds, seconds] = isQuick ? [3, 1] : [5, 3];
  const title = `${sizes.join(', ')} instances, ${PER_SERVICE} to a name, ${rounds} rounds of ${seconds} s; in brackets cloudmapd's as a part of it`;
  const missing = ['dnsperf', 'nsd'].filter((command) => !isInstalled(command));
  if (missing.length > 0) {
    const note = `left out, ${missing.join(' and ')} not installed (Debian: apt-get install dnsperf nsd)`;
    return [{ bench: 'scale', title, rows: [], notes: [note] }];
  }
  const nothing = await start(makeStore(0), []);
  const empty = await settledBytes(nothing, isQuick);
  await stop(nothing.server.child);
  const rows: Row[] = [];
  const notes: string[] = [];
  let smallest: Side[] = [];
  for (const size of sizes) {
    const home = makeStore(size);
    const threadRows = size < LARGE ? [] : memoryOfThread(size, home);
    const starts = await startSeveral(home, size, isQuick || size < LARGEST ? 1 : 3);
    rows.push(...startRows(size, starts), ...threadRows);
    const last = starts.at(-1) as Started;
    if (size >= LARGE) {
      const bytes = ((await settledBytes(last, isQuick)) - empty) / size;
      rows.push(ownRow(`${size}: the process`, 'B/instance', [bytes], { atMost: 1000 }));
    }
    pin(last.server.pid, SERVER_CORE);
    const queries = writeNames(size);
    const sides = [last.server, await nsd().start(scaleZones(size))].map((server) => ({ server, queries }));
    if (size === SMALLEST) smallest = sides;
    const found = costsOf(size, measureSides([...sides, ...smallest], rounds, seconds));
    rows.push(...found.rows);
    notes.push(...found.notes);
    if (size > SMALLEST) await Promise.all(sides.map(({ server }) => stop(server.child)));
  }
  rows.push(...(await benchTransfer(isQuick ? LARGE / 10 : LARGEST)));
  return [{ bench: 'scale', title, rows, notes }];
}

function startRows(size: number, starts: readonly Started[]): Row[] {
  const row = (name: string, member: 'answersAfter' | 'apiAfter', atMost: number): Row => {
    const figures = starts.map((one) => one[member]);
    return ownRow(`${size}: ${name}`, 's', figures, size === LARGEST ? { atMost } : null);
  };
  return [row('DNS answered from the store', 'answersAfter', 2.5), row('API ready', 'apiAfter', 6)];
}

/** Beside it what the same number costs where each instance has a name of its own. */
function memoryOfThread(size: number, home: string): Row[] {
  const row = (name: string, folderOf: string, target: Target | null): Row =>
    ownRow(`${size}: ${name}`, 'B/instance', [threadBytes(folderOf) / size], target);
  return [
    row('an answering thread', home, { atMost: 250 }),
    ...(size === LARGE ? [row('an answering thread, a name for each', makeStore(size, 1), null)] : []),
  ];
}

/** @param figures of cloudmapd, of NSD, and of both with the smallest size in the same rounds */
function costsOf(size: number, figures: readonly Figure[][]): { rows: Row[]; notes: string[] } {
  const [own, peer, ownSmall, peerSmall] = figures as [Figure[], Figure[], Figure[], Figure[]];
  const sides = new Map([
    [CLOUDMAPD, own],
    [PEER, peer],
  ]);
  const { rows, notes } = costRows(`${size}: A`, sides, null);
  if (size === SMALLEST) return { rows, notes };
  const series = { [CLOUDMAPD]: growth(own, ownSmall), [PEER]: growth(peer, peerSmall) };
  const target = { atMost: 1, of: [PEER] };
  return { rows: [...rows, { name: `${size}: A, against ${SMALLEST}`, unit: 'times', series, target }], notes };
}

interface Side {
  readonly server: Server;
  readonly queries: string;
}

/** Each in turn, round after round; the first is not counted, in which code is still being compiled. */
function measureSides(sides: readonly Side[], rounds: number, seconds: number): Figure[][] {
  const figures: Figure[][] = sides.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { server, queries }] of sides.entries()) {
      const figure = measure(server.pid, server.port, { queries, seconds, outstanding: FULL_LOAD });
      if (round > 0) figures[i]?.push(figure);
    }
  }
  return figures;
}

function growth(now: readonly Figure[], before: readonly Figure[]): number[] {
  return now.map((figure, i) => figure.cpuMicrosecondsPerAnswer / (before[i] as Figure).cpuMicrosecondsPerAnswer);
}

function ownRow(name: string, unit: string, figures: readonly number[], target: Target | null): Row {
  return { name, unit, series: { [CLOUDMAPD]: figures }, target };
}

/** @returns the folder of a store with so many instances */
function makeStore(size: number, perService = PER_SERVICE): string {
  const home = makeHome(`scale-${size}-${perService}`);
  execFileSync(process.execPath, [join(ROOT, 'test/bench/scale-store.ts'), home, `${size}`, `${perService}`]);
  return home;
}

/** One after the other; the last one runs on. */
async function startSeveral(home: string, size: number, count: number): Promise<Started[]> {
  const names = probedNames(size);
  const started: Started[] = [];
  for (let i = 0; i < count; i++) {
    const last = started.at(-1);
    if (last !== undefined) await stop(last.server.child);
    started.push(await start(home, names));
  }
  return started;
}

/** What the process holds once that has stopped falling, or after half a minute. */
async function settledBytes({ server: { pid } }: Started, isQuick: boolean): Promise<number> {
  const [calm, most] = isQuick ? [3, 10] : [10, 30];
  let [least, since] = [residentBytes(pid), 0];
  for (let second = 0; second < most && since < calm; second++, since++) {
    await sleep(1000);
    const now = residentBytes(pid);
    if (now < least * 0.99) since = 0;
    least = Math.min(least, now);
  }
  return least;
}

/** Before a daemon holds the store. */
function threadBytes(home: string): number {
  const args = ['--expose-gc', '--max-old-space-size=8192', join(ROOT, 'test/bench/thread-memory.ts'), home];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

/** In an order that has nothing to do with how they are kept. */
function writeNames(size: number): string {
  const path = join(folder, `scale-names-${size}`);
  const names = scaleZones(size).flatMap(({ hosts }) => hosts.map(({ name }) => `${name} A`));
  writeFileSync(path, `${shuffled(names).join('\n')}\n`);
  return path;
}
