/**
 * Part of `scale`: so many instances come in by `cloudmapd import`, the daemon is started again, and `cloudmapd export`
 * reads all of them back, each of which must be what it was.
 */
import { execFile } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { untilDnsAnswers } from './polling.ts';
import { CLOUDMAPD, type Row } from './report.ts';
import { scaleZones } from './scale-content.ts';
import { ANSWERED, probedNames, type Started, start } from './scale-daemon.ts';
import { folder, makeHome, ROOT, stop } from './support.ts';

const MAIN = join(ROOT, 'src/main.ts');
const MEGABYTE = 1e6;

export async function benchTransfer(size: number): Promise<Row[]> {
  const home = makeHome(`scale-import-${size}`);
  const [given, exported] = [join(folder, `given-${size}.json`), join(folder, `exported-${size}.json`)];
  await run(join(ROOT, 'test/bench/scale-export.ts'), given, `${size}`);

  const first = await start(home, []);
  const importSeconds = await timed(() => command(first, 'import', given));
  await untilDnsAnswers(first.server.child, first.server.port, probedNames(size), ANSWERED);
  const peakBytes = peakOf(first.server.pid);
  await stop(first.server.child);

  const second = await start(home, probedNames(size));
  const exportSeconds = await timed(() => command(second, 'export', '--format', 'json', '--output', exported));
  await requireAll(size, exported);
  await stop(second.server.child);

  const row = (name: string, unit: string, figure: number): Row => {
    return { name: `${size}: ${name}`, unit, series: { [CLOUDMAPD]: [figure] }, target: null };
  };
  return [
    row('imported, in DNS', 's', importSeconds),
    row('the most memory meanwhile', 'MB', peakBytes / MEGABYTE),
    row('DNS answered after the restart', 's', second.answersAfter),
    row('API ready after the restart', 's', second.apiAfter),
    row('all read back by export', 's', exportSeconds),
  ];
}

async function command({ http }: Started, ...args: readonly string[]): Promise<void> {
  await run(MAIN, ...args, '--endpoint', `http://127.0.0.1:${http}`);
}

/** @throws Error with what it said where it fails */
async function run(...args: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 24 });
}

async function timed(task: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await task();
  return (performance.now() - startedAt) / 1000;
}

/** The most that the process ever held, in octets. */
function peakOf(pid: number): number {
  return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** @throws Error where an instance is missing, or is not what was given */
async function requireAll(size: number, file: string): Promise<void> {
  const expected = new Map<string, string>();
  for (const { hosts } of scaleZones(size)) {
    for (const { addresses } of hosts) for (const [i, address] of addresses.entries()) expected.set(address, `i-${i}`);
  }
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (!line.startsWith('{"serviceId"')) continue;
    const { id, attributes } = JSON.parse(line.replace(/,$/, '')) as { id: string; attributes: Record<string, string> };
    const address = attributes.AWS_INSTANCE_IPV4 ?? '';
    if (expected.get(address) !== id || attributes.AWS_INSTANCE_PORT !== '8080') throw new Error(`not given: ${line}`);
    expected.delete(address);
  }
  if (expected.size > 0) throw new Error(`${expected.size} of ${size} instances were not read back`);
}
