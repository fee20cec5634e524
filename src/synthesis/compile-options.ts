/** The settings that decide what is compiled. */
import type { DnsFallback } from './eligible.ts';

export interface CompileOptions {
  readonly fallback: DnsFallback;
  /** Caps every TTL that is answered; null: as configured. */
  readonly maxTtlSeconds: number | null;
  /** SOA TTL and negative TTL where a namespace sets none. */
  readonly soaTtlSeconds: number;
  /** Whether registered addresses have PTR records. */
  readonly hasPtr: boolean;
  /** Addresses of `ns.<zone>`: where the daemon listens. */
  readonly nameServers: {
    readonly ipv4: readonly string[];
    readonly ipv6: readonly string[];
    /** Whether they stand for wildcard listeners, whose clients get the address that they asked. */
    readonly areWildcard: boolean;
  };
}

/** What of them decides the TTL of a record. */
export type TtlCap = Pick<CompileOptions, 'maxTtlSeconds'>;

export function cappedTtl(ttlSeconds: number, { maxTtlSeconds }: TtlCap): number {
  return maxTtlSeconds === null ? ttlSeconds : Math.min(ttlSeconds, maxTtlSeconds);
}
