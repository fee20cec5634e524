/**
 * Queries made from a seed, asked of the daemon and of BIND, NSD and Knot that serve the same content as zone files.
 * Whatever they differ in is in the table of `differences.ts` or `refusals.ts`, with the reason, or fails.
 *
 *   DIFFERENTIAL_SEED=7 DIFFERENTIAL_PAIRS=1000000 npm test -- test/differential
 */
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { requireTool } from '../support/journey-tools.ts';
import { DIFFERENCES } from './differences.ts';
import { SERVER_NAMES } from './servers.ts';
import { startWorld, type World, type WorldOptions } from './world.ts';

const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 20_260_803);
const PAIRS = Number(process.env.DIFFERENTIAL_PAIRS ?? (process.env.CI === 'true' ? 100_000 : 20_000));
/** So many find every listed difference, whatever the seed. */
const ALL_PAIRS = 100_000;

let world: World | null = null;
afterEach(async () => {
  await world?.close();
  world = null;
});

async function start(context: TestContext, options: WorldOptions): Promise<World> {
  for (const tool of ['named', 'nsd', 'knotd'] as const) requireTool(context, tool);
  world = await startWorld(options);
  return world;
}

describe(`BIND, NSD and Knot (DIFFERENTIAL_SEED=${SEED})`, () => {
  it(`answer ${PAIRS} queries as we do, or otherwise for a reason that is listed`, async (context) => {
    const { compare } = await start(context, { seed: SEED, namespaces: 60 });
    const { faults, seen } = await compare(PAIRS);
    expect(faults, `DIFFERENTIAL_SEED=${SEED}\n\n${faults.join('\n\n')}`).toEqual([]);
    const notSeen = DIFFERENCES.map(({ name }) => name).filter((name) => !seen.has(name));
    if (PAIRS >= ALL_PAIRS) expect(notSeen, 'differences that are listed, and none any more').toEqual([]);
  }, 900_000);

  it.for<readonly [string, (text: string) => string]>([
    ['another address', (text) => text.replaceAll(/ A 10\.[01]\./g, ' A 10.9.')],
    ['another TTL', (text) => text.replaceAll(/ \d+ IN (A{1,4}|SRV|CNAME) /g, ' 77 IN $1 ')],
    ['another target', (text) => text.replaceAll(/ CNAME .*/g, ' CNAME other.example.')],
    ['no NS record', (text) => text.replaceAll(/ NS .*/g, ' NS other.example.')],
    ['a name more', (text) => text.replace(/^(\S{1,99}) (.*SOA.*)/, '$1 $2\nno-xyz.$1 5 IN A 192.0.2.1')],
  ])('are seen to differ where their zone files have %s', async ([, edit], context) => {
    const { compare } = await start(context, { seed: SEED, namespaces: 10, edit });
    const { faults } = await compare(3000);
    const differing = SERVER_NAMES.filter((name) => faults.some((fault) => fault.startsWith(`${name}: `)));
    expect(differing).toEqual(SERVER_NAMES);
  });
});
