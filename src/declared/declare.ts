/** Declared content held against the registry's rules, in a registry of its own or in the real one. */
import type { Context } from '../registry/decision.ts';
import type { Registry } from '../registry/registry.ts';
import { State } from '../registry/state.ts';
import { DeclaredError, reconcile } from './reconcile.ts';
import { type DeclaredContent, declaredKeys } from './schema.ts';
import type { YamlFile } from './yaml.ts';

/** Limits and delays do not apply to declared content; ids are thrown away. */
const TRIAL: Omit<Context, 'options'> = { now: 0, random: (bound) => Math.floor(Math.random() * bound) };

/** Whether the content can be declared in an empty registry. @throws ConfigFileError */
export function checkContent(content: DeclaredContent, yaml: YamlFile): void {
  const options: Context['options'] = {
    region: 'us-east-1',
    accountId: '123456789012',
    operationDelayMs: 0,
    customHealthDelayMs: 0,
    newInstanceStatus: 'HEALTHY',
    quotas: { namespaces: 0, instancesPerNamespace: 0, instancesPerService: 0 },
    declared: declaredKeys(content),
    ec2Instances: content.ec2Instances,
  };
  withLines(yaml, () => reconcile(new State(), content, { ...TRIAL, options }));
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
