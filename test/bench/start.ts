/**
 * `start`: from the start of the process to the first 200 of `/readyz`, what it holds when it has nothing to do, and
 * from SIGTERM to its end; with a store in a folder that is made anew, or with the example as declared content. It is
 * the checkout's TypeScript, and the package's JavaScript where it can be built. Beside it stands moto_server where it is
 * installed, until it first answers.
 *
 * No process is held to one core here: a start uses what the machine has.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { SERVE } from './peers/cloudmapd.ts';
import { untilHttpOk } from './polling.ts';
import { type BenchOptions, CLOUDMAPD, type Row, type Section } from './report.ts';
import {
  ALL_CORES,
  cpuSeconds,
  folder,
  freePort,
  isInstalled,
  makeHome,
  ROOT,
  residentBytes,
  sleep,
} from './support.ts';

const IDLE_MS = 2000;
const MOTO = 'moto_server';
const EXAMPLE = join(ROOT, 'config/cloudmapd.example.yaml');

const MEASURES = {
  'to /readyz': { unit: 'ms', target: { atMost: 300 } },
  // Whatever else keeps the machine busy.
  'until then': { unit: 'CPU ms', target: null },
  'idle RSS': { unit: 'MB', target: { atMost: 90 } },
  'SIGTERM to exit': { unit: 'ms', target: { atMost: 200 } },
} as const;
type Measure = keyof typeof MEASURES;
type Times = Readonly<Record<Measure, number>>;

interface Subject {
  readonly name: string;
  readonly command: string;
  readonly argsOf: (port: number, round: number) => readonly string[];
  readonly path: string;
}

export async function benchStart({ isQuick }: BenchOptions): Promise<Section[]> {
  const rounds = isQuick ? 2 : 9;
  const built = buildPackage();
  const notes = built === null ? ['the package left out, it cannot be built here'] : [];
  if (!isInstalled(MOTO)) notes.push(`${MOTO} left out, it is not installed (pip install 'moto[server]')`);
  const forms = [['checkout', SERVE], ...(built === null ? [] : [['package', [built, 'serve']]])] as [
    string,
    string[],
  ][];
  const subjects: Subject[] = forms.flatMap(([form, command]) => [
    cloudmapd(`${form}, new store`, command, []),
    cloudmapd(`${form}, example`, command, ['--config', EXAMPLE]),
  ]);
  const moto: Subject = {
    name: MOTO,
    command: MOTO,
    argsOf: (port) => ['-p', `${port}`],
    path: '/moto-api/',
  };
  const all = isInstalled(MOTO) ? [...subjects, moto] : subjects;

  const times = new Map<Subject, Times[]>(all.map((subject) => [subject, []]));
  for (let round = 0; round < rounds; round++) {
    for (const subject of all) times.get(subject)?.push(await startOnce(subject, round));
  }
  const seriesOf = (subject: Subject, measure: Measure): number[] =>
    (times.get(subject) as Times[]).map((one) => one[measure]);
  const rows: Row[] = subjects.flatMap((subject) =>
    (Object.keys(MEASURES) as Measure[]).map((measure) => ({
      name: `${subject.name}: ${measure}`,
      ...MEASURES[measure],
      series: {
        [CLOUDMAPD]: seriesOf(subject, measure),
        ...(times.has(moto) ? { [MOTO]: seriesOf(moto, measure) } : {}),
      },
    })),
  );
  return [{ bench: 'start', title: `${rounds} starts each, RSS after ${IDLE_MS / 1000} s of idling`, rows, notes }];
}

function cloudmapd(name: string, command: readonly string[], more: readonly string[]): Subject {
  return {
    name,
    command: process.execPath,
    argsOf: (port, round) => {
      const dataDir = join(folder, `start-${name.replace(/\W+/g, '-')}-${round}`);
      return [...command, '--http', `127.0.0.1:${port}`, '--dns', '127.0.0.1:0', '--data-dir', dataDir, ...more];
    },
    path: '/readyz',
  };
}

async function startOnce({ command, argsOf, path }: Subject, round: number): Promise<Times> {
  const port = await freePort();
  const startedAt = performance.now();
  const child = spawn('taskset', ['-c', ALL_CORES, command, ...argsOf(port, round)], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  try {
    await untilHttpOk(child, port, path);
    const ready = performance.now() - startedAt;
    const cpu = cpuSeconds(child.pid as number) * 1000;
    await sleep(IDLE_MS);
    const resident = residentBytes(child.pid as number) / 1e6;
    const signalledAt = performance.now();
    child.kill('SIGTERM');
    await exited;
    return {
      'to /readyz': ready,
      'until then': cpu,
      'idle RSS': resident,
      'SIGTERM to exit': performance.now() - signalledAt,
    };
  } finally {
    child.kill('SIGKILL');
  }
}

/** What `npm run build` makes, in a folder of its own. @returns its main.js, or null */
function buildPackage(): string | null {
  const home = makeHome('package');
  const args = [join(ROOT, 'config/build.ts'), join(home, 'dist')];
  if (spawnSync(process.execPath, args, { stdio: 'ignore' }).status !== 0) return null;
  cpSync(join(ROOT, 'package.json'), join(home, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'));
  return join(home, 'dist/main.js');
}
