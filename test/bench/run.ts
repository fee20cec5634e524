/**
 * `npm run bench [name]`: figures as ratios against something real in the same run. Machines differ and are noisy, so
 * each pair is measured in turn, several times, and the median of the ratios is printed.
 */
import { benchApi } from './api.ts';
import { benchDns } from './dns.ts';
import { benchForward } from './forward.ts';
import { benchHealth } from './health.ts';
import { cleanUp } from './support.ts';

const benches: Readonly<Record<string, () => Promise<void>>> = {
  dns: benchDns,
  forward: benchForward,
  api: benchApi,
  health: benchHealth,
};
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !Object.hasOwn(benches, name));
if (unknown !== undefined) {
  console.error(`there is no bench "${unknown}"; there is ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
try {
  for (const [name, bench] of Object.entries(benches)) if (wanted.length === 0 || wanted.includes(name)) await bench();
} finally {
  cleanUp();
}
