/** Declared content held against the registry's rules, in a registry of its own or in the real one. */
import type { RegistryOptions } from '../registry/decision.ts';
import type { Change } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import { State } from '../registry/state.ts';
import { DeclaredError, reconcile } from './reconcile.ts';
import type { DeclaredContent } from './schema.ts';
import { type Tally, tallyChanges } from './tally.ts';
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
    return { changes, result: tallyChanges(state, changes), options };
  });
}

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
