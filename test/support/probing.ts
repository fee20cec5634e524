/** What journeys about probed endpoints share: what became of probes, by the log and by what is kept. */

import type { InstanceHealth } from '../../src/registry/model.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openStore } from '../../src/store/open.ts';
import { waitFor } from './journey-tools.ts';
import type { Listener } from './listeners.ts';
import { OPTIONS } from './registry.ts';

/** A status that took effect, as the log tells of it. */
export interface Turn {
  readonly instance: string;
  readonly status: string;
  readonly reason: string;
}

type Logged = { readonly stderr: () => string };
// Read over and over while a test waits.
const read = new WeakMap<Logged, { readonly length: number; readonly turns: Turn[] }>();

/** All of them, oldest first. @param instance of this one alone */
export function turnsOf(daemon: Logged, instance?: string): Turn[] {
  const before = read.get(daemon) ?? { length: 0, turns: [] };
  const text = daemon.stderr().slice(before.length);
  // The last line may not be whole yet.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const entries = whole.split('\n').filter((line) => line !== '');
  const turns = [...before.turns];
  for (const entry of entries) {
    // Anything else, such as a warning of Node's, is a defect.
    if (!entry.startsWith('{')) throw new Error(`not a line of the log: ${daemon.stderr()}`);
    const { instance: id, status, reason } = JSON.parse(entry) as Turn;
    if (status !== undefined) turns.push({ instance: id, status, reason });
  }
  read.set(daemon, { length: before.length + whole.length, turns });
  return instance === undefined ? turns : turns.filter((turn) => turn.instance === instance);
}

/** Waits until the instance has turned so often. @returns its turns as `STATUS: reason` */
export async function waitForTurns(daemon: Logged, instance: string, count: number): Promise<string[]> {
  return waitFor(`${count} transitions of ${instance}`, () => {
    const turns = turnsOf(daemon, instance);
    return turns.length >= count ? turns.map(({ status, reason }) => `${status}: ${reason}`) : null;
  });
}

/** Waits for so many connections more than there are: the clock of those who want to see that nothing happens. */
export async function waitForMore(listener: Listener, count: number): Promise<void> {
  const wanted = listener.connections + count;
  await waitFor(`${count} more connections`, () => (listener.connections >= wanted ? true : null));
}

/** The health that an ended daemon has left in its folder, by instance id; transitions as `STATUS: reason`. */
export async function keptHealth(dataDir: string): Promise<Map<string, InstanceHealth & { history: string[] }>> {
  const store = openStore('sqlite', dataDir);
  try {
    const { state } = await Registry.open({ store, options: OPTIONS, clock: Date.now, random: () => 0 });
    const instances = [...state.services()].flatMap(({ id }) => [...state.instancesOf(id).values()]);
    return new Map(
      instances.map(({ id, health }) => {
        const history = (health.transitions ?? []).map(({ status, reason }) => `${status}: ${reason}`);
        return [id, { ...health, history }];
      }),
    );
  } finally {
    await store.close();
  }
}
