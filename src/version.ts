/** The version of the package. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

export function readVersion(): string {
  // The nearest one: the build puts this module deeper than its source is.
  const { version } = JSON.parse(readFileSync(findPackageJSON(import.meta.url) as string, 'utf8'));
  return version;
}
