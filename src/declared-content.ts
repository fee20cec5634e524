/** What the daemon makes of the file's content: as the registry takes it, and as the answering threads do. */
import { type Configuration, registryOptions, type Settings } from './config.ts';
import { checkContent } from './declared/declare.ts';
import { findEc2Addresses } from './declared/ec2-addresses.ts';
import type { DeclaredContent } from './declared/schema.ts';
import { createEc2Lookup } from './ec2.ts';
import { listenerAddresses } from './listener-addresses.ts';
import type { Ec2Answer } from './registry/attributes.ts';
import type { RegistryOptions } from './registry/decision.ts';
import type { LocalOptions } from './synthesis/local-names.ts';

/** Null: no endpoint of EC2 is configured. */
export type Ec2Lookup = ((id: string) => Promise<Ec2Answer>) | null;

export function ec2LookupOf({ ec2Endpoint, region }: Settings): Ec2Lookup {
  return ec2Endpoint === undefined ? null : createEc2Lookup(ec2Endpoint, region);
}

/** Completes the content and holds it against the registry's rules. @throws ConfigFileError */
export async function prepareContent(
  { settings, content: given, yaml }: Pick<Configuration, 'settings' | 'content' | 'yaml'>,
  ec2: Ec2Lookup,
): Promise<{ content: DeclaredContent; options: RegistryOptions }> {
  const content = yaml === null ? given : await findEc2Addresses(given, yaml, ec2);
  const options = registryOptions({ settings, content });
  if (yaml !== null) checkContent(content, yaml, options);
  return { content, options };
}

export function localOptionsOf(settings: Settings, { records }: Pick<DeclaredContent, 'records'>): LocalOptions {
  return {
    records,
    ownName: settings.ownName,
    soaTtlSeconds: settings.soaTtl,
    maxTtlSeconds: settings.dnsMaxTtl ?? null,
    addresses: listenerAddresses(settings.dns),
  };
}
