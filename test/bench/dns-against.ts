/**
 * `dns --against FOLDER`: what an answer costs beside what it costs in another checkout of cloudmapd, so that a change
 * of the query path can be told from noise. Two runs of the same code differ by some percent, since V8 compiles each
 * anew; so there are several daemons of either checkout, in turn in each round, and all pairs count.
 */
import { KINDS, type Kind, loadOf, problemOf, ZONE } from './dns-kinds.ts';
import { measure } from './dnsperf.ts';
import { cloudmapd } from './peers/cloudmapd.ts';
import type { Server } from './peers/peer.ts';
import { CLOUDMAPD, type Row, type Section } from './report.ts';
import { isInstalled, median, ROOT } from './support.ts';

const DAEMONS = 3;
/** What metrics and faults may cost all those who look at neither. */
const AT_MOST = 1.02;

export async function benchAgainst(folder: string, isQuick: boolean): Promise<Section[]> {
  const [rounds, seconds] = isQuick ? [9, 0.5] : [25, 0.5];
  if (!isInstalled('dnsperf')) throw new Error('dnsperf is not installed (Debian: apt-get install dnsperf)');
  const own: Server[] = [];
  const others: Server[] = [];
  for (let i = 0; i < DAEMONS; i++) {
    others.push(await cloudmapd(`other ${i}`, 'auto', folder).start([ZONE]));
    own.push(await cloudmapd(`own ${i}`, 'auto', ROOT).start([ZONE]));
  }
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const kind of KINDS) {
    for (const server of [...own, ...others]) {
      const problem = await problemOf(kind, server);
      if (problem !== null) throw new Error(`${kind.name}: ${server.name}: ${problem}`);
    }
    const [ownCosts, otherCosts] = measureInTurn(kind, [own, others], rounds, seconds) as [number[][], number[][]];
    // Each daemon of the one with each of the other.
    const pairs = ownCosts.flatMap((mine) => otherCosts.map((theirs) => [mine, theirs] as const));
    const series = {
      [CLOUDMAPD]: pairs.flatMap(([mine]) => mine),
      [folder]: pairs.flatMap(([, theirs]) => theirs),
    };
    rows.push({ name: kind.name, unit: 'CPU us/answer', series, target: { atMost: AT_MOST, of: [folder] } });
    const noise = otherCosts.flatMap((one, i) => otherCosts.slice(i + 1).map((another) => ratioOf(one, another)));
    const text = noise.map((ratio) => ratio.toFixed(3)).join(', ');
    notes.push(
      `${kind.name}: ${ratioOf(...(Object.values(series) as [number[], number[]])).toFixed(3)}; the other's daemons by each other ${text}`,
    );
  }
  const title = `${DAEMONS} daemons of either checkout, ${rounds} rounds of ${seconds} s, all pairs; in brackets cloudmapd's cost as a part of the other's`;
  return [{ bench: 'dns', title, rows, notes }];
}

/** @returns of each daemon in each group the CPU time per answer of each round, in us */
function measureInTurn(
  kind: Kind,
  groups: readonly (readonly Server[])[],
  rounds: number,
  seconds: number,
): number[][][] {
  const load = loadOf(kind, seconds);
  const costs = groups.map((group) => group.map(() => [] as number[]));
  // The first round is not counted: code is still being compiled, and caches are filled.
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < DAEMONS; i++) {
      // Whoever comes first finds the machine otherwise than the one behind.
      const order = round % 2 === 0 ? [...groups.entries()] : [...groups.entries()].reverse();
      for (const [g, group] of order) {
        const { pid, port } = group[i] as Server;
        const { cpuMicrosecondsPerAnswer } = measure(pid, port, load);
        if (round > 0) costs[g]?.[i]?.push(cpuMicrosecondsPerAnswer);
      }
    }
  }
  return costs;
}

/** The median over the rounds. */
function ratioOf(a: readonly number[], b: readonly number[]): number {
  return median(a.map((figure, i) => figure / (b[i] as number)));
}
