/**
 * Random sequences of calls, some of them at the same moment, against a simple model of the rules: ids, counts,
 * revisions and DNS answers agree after every step.
 *
 * A failure tells the smallest sequence that was found to fail, and its seed. `PROPERTY_SEED` and `PROPERTY_RUNS`
 * choose other sequences and more of them.
 */
import * as fc from 'fast-check';
import { afterAll, it } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';
import { makeFolder } from '../support/daemon.ts';
import { stepsArbitrary } from './arbitraries.ts';
import { type Client, openClient } from './client.ts';
import type { Step } from './commands.ts';
import { Run } from './run.ts';

const SEED = Number(process.env.PROPERTY_SEED ?? 20_260_730);
const RUNS = process.env.PROPERTY_RUNS === undefined ? null : Number(process.env.PROPERTY_RUNS);
/** Many times what a run takes; and what finding a smaller sequence may take, which ends with the smallest so far. */
const MS_PER_RUN = 10_000;
const SHRINKING_MS = 60_000;

function limitsOf(defaultRuns: number): { parameters: fc.Parameters<unknown>; timeout: number } {
  const numRuns = RUNS ?? defaultRuns;
  const interruptAfterTimeLimit = numRuns * MS_PER_RUN + SHRINKING_MS;
  const parameters = { seed: SEED, numRuns, interruptAfterTimeLimit, markInterruptAsFailure: true };
  return { parameters, timeout: interruptAfterTimeLimit + 30_000 };
}

interface Used {
  readonly api: TestApi;
  readonly client: Client;
}

async function start(settings?: Parameters<typeof startApi>[0]): Promise<Used> {
  const api = await startApi(settings);
  return { api, client: openClient(api) };
}

async function stop({ api, client }: Used): Promise<void> {
  client.close();
  await api.close();
}

/** One daemon for many runs: starting takes as long as some steps. */
let shared: Used | null = null;
afterAll(async () => {
  if (shared !== null) await stop(shared);
});

const oneDaemon = limitsOf(60);
it('the daemon agrees with the model after every step', { timeout: oneDaemon.timeout }, async () => {
  const sequence = async (steps: readonly Step[]): Promise<void> => {
    const used = shared ?? (await start());
    // Not kept after a run that failed: the next one has to begin with nothing.
    shared = null;
    try {
      const run = new Run(used.client);
      for (const step of steps) if (step !== 'restart') await run.step(step);
      await wipe(used.client);
      shared = used;
    } finally {
      if (shared === null) await stop(used);
    }
  };
  await fc.assert(fc.asyncProperty(stepsArbitrary(25, false), sequence), oneDaemon.parameters);
});

const restarted = limitsOf(8);
it('the daemon agrees with the model after every step and across restarts', {
  timeout: restarted.timeout,
}, async () => {
  const sequence = async (steps: readonly Step[]): Promise<void> => {
    const folder = makeFolder();
    const settings = { store: 'sqlite', dataDir: folder.path };
    let used = await start(settings);
    try {
      const run = new Run(used.client);
      for (const step of steps) {
        if (step !== 'restart') {
          await run.step(step);
          continue;
        }
        await stop(used);
        used = await start(settings);
        await run.restarted(used.client);
      }
    } finally {
      await stop(used);
      folder.remove();
    }
  };
  await fc.assert(fc.asyncProperty(stepsArbitrary(15, true), sequence), restarted.parameters);
});

/** @throws Error where something cannot be deleted */
async function wipe(client: Client): Promise<void> {
  for (const { Id } of (await client.ok('ListServices')).Services) {
    for (const instance of (await client.ok('ListInstances', { ServiceId: Id })).Instances)
      await client.send('DeregisterInstance', { ServiceId: Id, InstanceId: instance.Id });
    await client.send('DeleteService', { Id });
  }
  for (const { Id } of (await client.ok('ListNamespaces')).Namespaces) await client.send('DeleteNamespace', { Id });
  const [left] = (await client.ok('ListNamespaces')).Namespaces;
  if (left !== undefined) throw new Error(`the namespace ${left.Id} could not be deleted`);
}
