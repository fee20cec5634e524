/**
 * `npm run bench -- [name...] [--quick] [--json FILE] [--against FOLDER]`: figures, as ratios against something real in the same run
 * wherever there is such a thing. Machines differ and are noisy, so all of a comparison are measured in turn, several
 * times, and the median of the ratios counts. `--quick` takes fewer rounds and smaller sizes, under five minutes in all.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { benchApi } from './api.ts';
import { benchDns } from './dns.ts';
import { benchForward } from './forward.ts';
import { benchHealth } from './health.ts';
import { benchLatency } from './latency.ts';
import { describeMachine, machineLine } from './machine.ts';
import { benchPropagation } from './propagation.ts';
import { type BenchOptions, printSection, type Section, writeJson } from './report.ts';
import { benchScale } from './scale.ts';
import { benchStart } from './start.ts';
import { CLIENT_CORE, pin, stopAll } from './support.ts';

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<Section[]>>> = {
  dns: benchDns,
  scale: benchScale,
  latency: benchLatency,
  propagation: benchPropagation,
  start: benchStart,
  forward: benchForward,
  api: benchApi,
  health: benchHealth,
};

function readArguments(): BenchOptions & { names: string[]; json: string } {
  try {
    const options = { quick: { type: 'boolean' }, json: { type: 'string' }, against: { type: 'string' } } as const;
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const unknown = positionals.find((name) => !Object.hasOwn(BENCHES, name));
    if (unknown !== undefined)
      throw new Error(`there is no bench "${unknown}"; there is ${Object.keys(BENCHES).join(', ')}`);
    const json = values.json ?? join(tmpdir(), `cloudmapd-bench-${Date.now()}.json`);
    const against = values.against === undefined ? null : resolve(values.against);
    if (against !== null && !existsSync(join(against, 'src/main.ts')))
      throw new Error(`--against: ${against} is no checkout of cloudmapd`);
    if (against !== null && positionals.join() !== 'dns') throw new Error('--against goes with dns alone');
    return { names: positionals, isQuick: values.quick === true, json, against };
  } catch (error) {
    console.error((error as Error).message);
    process.exit(2);
  }
}

const { names, isQuick, json, against } = readArguments();
const sections: Section[] = [];
// What asks from here is a client too.
pin(process.pid, CLIENT_CORE);
console.log(machineLine(describeMachine()));
try {
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const startedAt = performance.now();
    const found = await bench({ isQuick, against });
    console.log(`\n${name} took ${Math.round((performance.now() - startedAt) / 1000)} s`);
    for (const section of found) {
      printSection(section);
      sections.push(section);
    }
    await stopAll();
  }
} finally {
  await stopAll();
  writeJson(json, sections, isQuick);
  console.log(`\nevery figure, with the machine: ${json}`);
}
