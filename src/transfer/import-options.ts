/** How a document is imported. */
import type { Ec2Answer } from '../registry/attributes.ts';
import type { ImportProgress } from './report.ts';

export interface ImportOptions {
  readonly dryRun: boolean;
  /** Asked for EC2 instances of the declared form that no map knows; left out: nobody. */
  readonly ec2?: ((id: string) => Promise<Ec2Answer>) | null;
  /** Aborted when the daemon stops: what is in stays, and no more goes in. */
  readonly signal?: AbortSignal;
  /** Told again and again, from when the document has been read; it must not throw. */
  readonly onProgress?: (progress: ImportProgress) => void;
}
