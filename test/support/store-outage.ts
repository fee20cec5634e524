/** A store that fails for a while under a daemon at work: what must hold before, meanwhile and afterwards. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { SQLITE_FILE } from '../../src/store/sqlite.ts';
import type { RunningDaemon } from './daemon.ts';
import type { DiskWriter } from './disk-writer.ts';
import { dig } from './dns.ts';
import { Api } from './journey-api.ts';
import { waitFor } from './journey-tools.ts';
import { instanceIds, STEADY } from './written-content.ts';
import { compareWorld } from './written-world.ts';

/** Calls that are waited for. */
const SOME = 50;

/** Asks again and again, by DNS and by the API, for what nobody changes. */
export class SteadyWatch {
  /** Every answer that was not the first one. */
  readonly wrong: string[] = [];
  #answers = 0;
  #isOver = false;
  readonly #api: Api;
  readonly #dnsPort: number;
  #asking: Promise<void> = Promise.resolve();

  private constructor({ endpoint, dnsPort }: RunningDaemon) {
    this.#api = new Api(endpoint);
    this.#dnsPort = dnsPort;
  }

  static async start(daemon: RunningDaemon): Promise<SteadyWatch> {
    const watch = new SteadyWatch(daemon);
    const [records, ids] = [await watch.#dig(), await watch.#discover()];
    expect({ records: records.length, ids }).toEqual({ records: STEADY.instances, ids: instanceIds(STEADY) });
    watch.#asking = watch.#ask([...records, ...ids]);
    return watch;
  }

  async stop(): Promise<void> {
    const wanted = this.#answers + 2;
    await waitFor('answers', () => (this.#answers >= wanted ? true : null));
    this.#isOver = true;
    await this.#asking;
    this.#api.sdk.destroy();
  }

  async #dig(): Promise<string[]> {
    const { answer } = await dig(this.#dnsPort, `${STEADY.name}.${STEADY.namespace}`, 'A');
    return answer.sort();
  }

  async #discover(): Promise<string[]> {
    return (await this.#api.discover(STEADY.namespace, STEADY.name)).ids;
  }

  async #ask(right: readonly string[]): Promise<void> {
    while (!this.#isOver) {
      const answers = await Promise.all([this.#dig(), this.#discover()]).catch((error: Error) => [error.message]);
      if (answers.flat().join() !== right.join()) this.wrong.push(`${answers.flat()} instead of ${right}`);
      this.#answers++;
    }
  }
}

export interface Readiness {
  readonly status: number;
  readonly reason?: string;
}

export async function readinessOf({ endpoint }: RunningDaemon): Promise<Readiness> {
  const response = await fetch(`${endpoint}/readyz`);
  const { reason } = (await response.json()) as { reason?: string };
  return { status: response.status, ...(reason !== undefined && { reason }) };
}

/** Waits for calls of the writer, whatever becomes of them. */
export async function waitForCalls(
  writer: DiskWriter,
  outcome: 'acknowledged' | 'refused',
  how: () => void = () => {},
): Promise<void> {
  const wanted = writer.ledger.counts[outcome] + SOME;
  await waitFor(`calls that are ${outcome}`, () => {
    how();
    return writer.ledger.counts[outcome] >= wanted ? true : null;
  });
}

export interface Outage {
  readonly dataDir: string;
  /** What the system says. */
  readonly words: RegExp;
  /** Called again and again until calls are refused. */
  readonly fail: () => void;
}

/** The store fails while the writer writes: nothing changes but `/readyz`. The writer has stopped then. */
export async function bringDown(daemon: RunningDaemon, writer: DiskWriter, outage: Outage): Promise<void> {
  const writing = writer.start(daemon);
  try {
    await waitForCalls(writer, 'acknowledged');
    await waitForCalls(writer, 'refused', outage.fail);
    const readiness = await waitFor('/readyz', async () => {
      outage.fail();
      const now = await readinessOf(daemon);
      return now.status === 200 ? null : now;
    });
    expect(readiness).toEqual({ status: 503, reason: expect.stringContaining(join(outage.dataDir, SQLITE_FILE)) });
    expect(readiness.reason).toMatch(outage.words);
    expect((await fetch(`${daemon.endpoint}/healthz`)).status).toBe(200);
  } finally {
    await writing.stop();
  }
  expect(await compareWorld(writer, daemon)).toEqual([]);
}

/** The store works again: that is noticed without any call, and calls succeed. The writer has stopped then. */
export async function expectRecovery(daemon: RunningDaemon, writer: DiskWriter): Promise<void> {
  await waitFor('/readyz', async () => ((await readinessOf(daemon)).status === 200 ? true : null));
  // What was refused has not come in meanwhile.
  expect(await compareWorld(writer, daemon)).toEqual([]);
  const { refused } = writer.ledger.counts;
  const writing = writer.start(daemon);
  try {
    await waitForCalls(writer, 'acknowledged');
  } finally {
    await writing.stop();
  }
  expect(writer.ledger.counts.refused).toBe(refused);
  expect(await compareWorld(writer, daemon)).toEqual([]);
}
