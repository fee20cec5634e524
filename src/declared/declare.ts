/** Declared content held against the registry's rules, in a registry of its own or in the real one. */
import type { RegistryOptions } from '../registry/decision.ts';
import type { Change } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import { State } from '../registry/state.ts';
import { DeclaredError, reconcile } from './reconcile.ts';
import { decideReset } from './reset.ts';
import { type DeclaredContent, NO_CONTENT } from './schema.ts';
import { type Tally, tallyChanges, tallyDifferences } from './tally.ts';
import type { YamlFile } from './yaml.ts';

/** Whether the content can be declared in an empty registry; the ids that it gets are thrown away. @throws ConfigFileError */
export function checkContent(content: DeclaredContent, yaml: YamlFile, options: RegistryOptions): void {
  const random = (bound: number): number => Math.floor(Math.random() * bound);
  withLines(yaml, () => reconcile(new State(), content, { now: 0, random, options }));
}

/**
 * Makes the registry what the file says.
 * @param options in force from then on
 * @throws ConfigFileError, StoreError; either way nothing is applied, and the former options stay in force
 */
export function declare(
  registry: Registry,
  content: DeclaredContent,
  yaml: YamlFile | null,
  options: RegistryOptions = registry.options,
): Promise<Tally> {
  return registry.submit((state, context) => {
    const { changes } = withLines(yaml, () => reconcile(state, content, { ...context, options }));
    for (const change of changes) reconciled.add(change);
    declared.set(options, content);
    return { changes, result: tallyChanges(state, changes), options };
  });
}

/**
 * Makes the registry what it was once the content in force had come in for the first time: all else is gone, whoever
 * made it, and what is declared is as the file says. One decision: nobody sees it half done.
 * @throws StoreError; then nothing has changed
 */
export function resetToDeclared(registry: Registry): Promise<Tally> {
  const before = lastResetOf(registry);
  const decided = registry.submit((state, context) => {
    const changes = decideReset(state, declared.get(context.options) ?? NO_CONTENT, context);
    lastResets.set(registry, changes);
    for (const change of changes) reconciled.add(change);
    return { changes, result: tallyDifferences(state, changes) };
  });
  return decided.catch((error) => {
    if (before === null) lastResets.delete(registry);
    else lastResets.set(registry, before);
    throw error;
  });
}

/** Another one each time: whoever works on the registry for longer sees that what it did before is gone. Null: none yet. */
export function lastResetOf(registry: Registry): object | null {
  return lastResets.get(registry) ?? null;
}

const lastResets = new WeakMap<Registry, object>();
/** The content that options came with, which are in force with it. */
const declared = new WeakMap<RegistryOptions, DeclaredContent>();
const reconciled = new WeakSet<Change>();

/** Whether it is a file's own, and no call's. */
export function isReconciled(change: Change): boolean {
  return reconciled.has(change);
}

function withLines<T>(yaml: YamlFile | null, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof DeclaredError && yaml !== null) throw yaml.errorAt(error.path, error.message);
    throw error;
  }
}
