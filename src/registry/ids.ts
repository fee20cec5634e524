/** Identifiers and ARNs in AWS's forms, so that clients which check them are content. */

/** Uniform integer in [0, bound). */
export type Random = (bound: number) => number;

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const UPPER_ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

export function randomText(random: Random, length: number, alphabet = BASE32): string {
  let text = '';
  for (let i = 0; i < length; i++) text += alphabet[random(alphabet.length)];
  return text;
}

export function namespaceId(random: Random): string {
  return `ns-${randomText(random, 16)}`;
}

export function serviceId(random: Random): string {
  return `srv-${randomText(random, 16)}`;
}

/** 32 random characters and the submit time in base 36 milliseconds, as AWS's operation ids decode. */
export function operationId(random: Random, now: number): string {
  return `${randomText(random, 32)}-${now.toString(36)}`;
}

export function hostedZoneId(random: Random): string {
  return `Z${randomText(random, 20, UPPER_ALPHANUMERIC)}`;
}

export interface Owner {
  readonly region: string;
  /** Twelve digits. */
  readonly accountId: string;
}

export function arnOf(owner: Owner, kind: 'namespace' | 'service', id: string): string {
  return `${arnPrefix(owner)}${kind}/${id}`;
}

/**
 * The id in an id-or-ARN input. An ARN of another account, region or kind is given back whole, so that it is not
 * found like any other unknown id: AWS names no error for a malformed one, and clients take NotFound for gone.
 */
export function idFrom(owner: Owner, kind: 'namespace' | 'service', idOrArn: string): string {
  const prefix = `${arnPrefix(owner)}${kind}/`;
  return idOrArn.startsWith(prefix) ? idOrArn.slice(prefix.length) : idOrArn;
}

function arnPrefix({ region, accountId }: Owner): string {
  return `arn:${partitionOf(region)}:servicediscovery:${region}:${accountId}:`;
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
