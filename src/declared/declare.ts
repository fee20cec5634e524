/** Declared content held against the registry's rules, in a registry of its own or in the real one. */
import type { RegistryOptions } from '../registry/decision.ts';
import type { Registry } from '../registry/registry.ts';
import { State } from '../registry/state.ts';
import { DeclaredError, reconcile } from './reconcile.ts';
import type { DeclaredContent } from './schema.ts';
import type { YamlFile } from './yaml.ts';

/** Whether the content can be declared in an empty registry; the ids that it gets are thrown away. @throws ConfigFileError */
export function checkContent(content: DeclaredContent, yaml: YamlFile, options: RegistryOptions): void {
  const random = (bound: number): number => Math.floor(Math.random() * bound);
  withLines(yaml, () => reconcile(new State(), content, { now: 0, random, options }));
}

/** Makes the registry what the file says. @throws ConfigFileError, and nothing is applied; StoreError */
export async function declare(registry: Registry, content: DeclaredContent, yaml: YamlFile | null): Promise<void> {
  await registry.submit((state, context) => withLines(yaml, () => reconcile(state, content, context)));
}

function withLines<T>(yaml: YamlFile | null, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof DeclaredError && yaml !== null) throw yaml.errorAt(error.path, error.message);
    throw error;
  }
}
