/** Runs of dnsperf (Debian) against a server: what its answers cost it, and how long they take. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Row, Series, Target } from './report.ts';
import { CLIENT_CORE, cpuSeconds } from './support.ts';

/** A socket's receive buffer (Linux, by default) has room for some 160 queries; what is beyond it is lost. */
export const FULL_LOAD = 150;

export interface Load {
  /** A file of lines such as `web.bench.internal A`, or of messages as TCP has them. */
  readonly queries: string;
  readonly isBinary?: boolean;
  readonly transport?: 'udp' | 'tcp';
  readonly seconds: number;
  /** Queries under way at once. */
  readonly outstanding: number;
  /** Ends where the file does, even before the time is over; otherwise the file is begun again. */
  readonly isAskedOnce?: boolean;
  /** The replies that count. */
  readonly rcode?: 'NOERROR' | 'NXDOMAIN';
}

export interface Figure {
  readonly answersPerSecond: number;
  readonly cpuMicrosecondsPerAnswer: number;
  /** Queries without a reply, and replies of other RCODEs: neither counts as an answer. */
  readonly lost: number;
  readonly answers: number;
  /** Of a reply, on average. */
  readonly octets: number;
}

/** @throws Error where nothing at all was answered */
export function measure(pid: number, port: number, load: Load): Figure {
  const before = cpuSeconds(pid);
  const output = runDnsperf(port, load);
  const spent = cpuSeconds(pid) - before;
  const answers = numberIn(output, new RegExp(`${load.rcode ?? 'NOERROR'} (\\d+)`));
  if (answers === 0) throw new Error(`nothing was answered on port ${port}: ${output}`);
  return {
    answersPerSecond: answers / numberIn(output, /Run time \(s\):\s+([\d.]+)/),
    cpuMicrosecondsPerAnswer: (spent * 1e6) / answers,
    lost: numberIn(output, /Queries sent:\s+(\d+)/) - answers,
    answers,
    octets: numberIn(output, /response (\d+)/),
  };
}

/** @returns what it printed */
export function runDnsperf(port: number, load: Load): string {
  const { queries, isBinary = false, transport = 'udp', seconds, outstanding, isAskedOnce = false } = load;
  const args = ['-d', queries, '-l', `${seconds}`, '-c', '8', '-q', `${outstanding}`, '-m', transport];
  if (isBinary) args.push('-B');
  if (isAskedOnce) args.push('-n', '1');
  return execFileSync('taskset', ['-c', CLIENT_CORE, 'dnsperf', '-s', '127.0.0.1', '-p', `${port}`, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

export interface Latency {
  /** In ms. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly lost: number;
}

/**
 * Asks at an even pace, whether answers come or not: were it held back by those that are late, these would be few.
 * @throws Error where nothing was answered
 */
export async function measureLatency(
  port: number,
  { queries, perSecond, seconds }: { queries: string; perSecond: number; seconds: number },
): Promise<Latency> {
  const args = ['-s', '127.0.0.1', '-p', `${port}`, '-d', queries, '-l', `${seconds}`, '-Q', `${perSecond}`];
  // Of 8 sockets, each with IDs enough for some seconds.
  const load = ['-c', '8', '-q', '200000', '-t', '2', '-v'];
  const child: ChildProcess = spawn('taskset', ['-c', CLIENT_CORE, 'dnsperf', ...args, ...load], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const latencies: number[] = [];
  let sent = 0;
  child.stdout?.setEncoding('utf8');
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on('line', (line) => {
    if (line.startsWith('> NOERROR ')) latencies.push(Number(line.slice(line.lastIndexOf(' '))) * 1000);
    else if (line.includes('Queries sent:')) sent = Number(/\d+/.exec(line)?.[0]);
  });
  await Promise.all([once(lines, 'close'), once(child, 'close')]);
  if (latencies.length === 0) throw new Error(`nothing was answered on port ${port}`);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] as number;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), lost: sent - latencies.length };
}

/** @param target of p99 */
export function latencyRows(figures: ReadonlyMap<string, readonly Latency[]>, target: Target | null): Row[] {
  const row = (name: string, unit: string, member: keyof Latency, held: Target | null): Row => {
    const series = Object.fromEntries([...figures].map(([server, list]) => [server, list.map((one) => one[member])]));
    return { name, unit, series, target: held };
  };
  return [
    row('DNS p50', 'ms', 'p50', null),
    row('DNS p99', 'ms', 'p99', target),
    row('DNS p99.9', 'ms', 'p999', null),
    row('lost', 'queries', 'lost', target === null ? null : { atMost: 0 }),
  ];
}

/** The cost of an answer, with the rates and sizes that belong to it; and a line for each server that lost something. */
export function costRows(
  name: string,
  figures: ReadonlyMap<string, readonly Figure[]>,
  target: Target | null,
): { rows: Row[]; notes: string[] } {
  const seriesOf = (member: keyof Figure): Series =>
    Object.fromEntries([...figures].map(([server, list]) => [server, list.map((figure) => figure[member])]));
  const detail = (unit: string, member: keyof Figure): Row => {
    return { name, unit, series: seriesOf(member), target: null, isDetail: true };
  };
  const notes = [...figures].flatMap(([server, list]) => {
    const lost = list.reduce((sum, figure) => sum + figure.lost, 0);
    const asked = list.reduce((sum, figure) => sum + figure.lost + figure.answers, 0);
    return lost === 0 ? [] : [`${name}: ${lost} of ${asked} queries to ${server} got no such answer`];
  });
  const rows = [
    { name, unit: 'CPU us/answer', series: seriesOf('cpuMicrosecondsPerAnswer'), target },
    detail('answers/s', 'answersPerSecond'),
    detail('octets/answer', 'octets'),
    detail('lost', 'lost'),
  ];
  return { rows, notes };
}

function numberIn(output: string, pattern: RegExp): number {
  return Number(pattern.exec(output)?.[1] ?? 0);
}
