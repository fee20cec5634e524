/** One run of dnsperf (Debian) against a server, and what the server's answers cost it. */
import { execFileSync } from 'node:child_process';
import { CLIENT_CORE, cpuSeconds, median } from './support.ts';

export interface Load {
  /** A file of lines such as `web.bench.internal A`. */
  readonly queries: string;
  readonly seconds: number;
  /** Queries under way at once. */
  readonly outstanding: number;
  /** Ends where the file does, even before the time is over; otherwise the file is begun again. */
  readonly isAskedOnce?: boolean;
}

export interface Figure {
  readonly answersPerSecond: number;
  readonly cpuMicrosecondsPerAnswer: number;
  /** Queries without a reply, and replies other than NOERROR: neither counts as an answer. */
  readonly lost: number;
  readonly answers: number;
}

/** @throws Error where nothing at all was answered */
export function measure(pid: number, port: number, load: Load): Figure {
  const before = cpuSeconds(pid);
  const output = runDnsperf(port, load);
  const spent = cpuSeconds(pid) - before;
  const answers = numberIn(output, /NOERROR (\d+)/);
  if (answers === 0) throw new Error(`nothing was answered on port ${port}: ${output}`);
  return {
    answersPerSecond: answers / numberIn(output, /Run time \(s\):\s+([\d.]+)/),
    cpuMicrosecondsPerAnswer: (spent * 1e6) / answers,
    lost: numberIn(output, /Queries sent:\s+(\d+)/) - answers,
    answers,
  };
}

/** @returns what it printed */
export function runDnsperf(port: number, { queries, seconds, outstanding, isAskedOnce = false }: Load): string {
  const server = ['-s', '127.0.0.1', '-p', String(port)];
  const load = ['-d', queries, '-l', String(seconds), '-c', '8', '-q', String(outstanding)];
  const once = isAskedOnce ? ['-n', '1'] : [];
  return execFileSync('taskset', ['-c', CLIENT_CORE, 'dnsperf', ...server, ...load, ...once], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/**
 * One line per server: medians, and what cloudmapd costs of it (the median of the ratios in each round).
 * @param figures of each server in the order of the rounds, cloudmapd's among them
 */
export function printFigures(figures: ReadonlyMap<string, readonly Figure[]>): void {
  const own = figures.get('cloudmapd') as readonly Figure[];
  for (const [name, list] of figures) {
    const ratio = median(
      own.map((figure, i) => figure.cpuMicrosecondsPerAnswer / (list[i] as Figure).cpuMicrosecondsPerAnswer),
    );
    const lost = list.reduce((sum, figure) => sum + figure.lost, 0);
    console.log(
      `  ${name.padEnd(23)} ${Math.round(median(list.map((f) => f.answersPerSecond)))} answers/s` +
        `  ${median(list.map((f) => f.cpuMicrosecondsPerAnswer)).toFixed(2)} CPU us/answer` +
        (name === 'cloudmapd' ? '' : `  cloudmapd costs ${ratio.toFixed(2)} of it`) +
        (lost === 0 ? '' : `  ${lost} without an answer`),
    );
  }
}

function numberIn(output: string, pattern: RegExp): number {
  return Number(pattern.exec(output)?.[1] ?? 0);
}
