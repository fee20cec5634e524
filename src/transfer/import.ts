/** Documents into the registry: missing is created, changed is set, the rest is left alone. */
import type { Ec2Answer } from '../registry/attributes.ts';
import type { Registry } from '../registry/registry.ts';
import type { ImportReport } from './report.ts';

export interface ImportOptions {
  readonly dryRun: boolean;
  /** Asked for EC2 instances of the declared form that no map knows; left out: nobody. */
  readonly ec2?: ((id: string) => Promise<Ec2Answer>) | null;
}

/**
 * Reads JSON of either form, text or its bytes in UTF-8.
 * @throws ImportError; then nothing is in, or as much as it says. StoreError
 */
export async function importText(
  _registry: Registry,
  _chunks: AsyncIterable<string | Uint8Array>,
  _options: ImportOptions,
): Promise<ImportReport> {
  throw new Error('not written yet');
}

/** As `importText`, of what has been parsed already, such as a YAML file's value. */
export async function importTree(_registry: Registry, _tree: unknown, _options: ImportOptions): Promise<ImportReport> {
  throw new Error('not written yet');
}
