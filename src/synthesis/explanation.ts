/** What `explain` says: the shape of its JSON. */

import type { HealthStatus, RecordType, RoutingPolicy } from '../registry/model.ts';
import type { TextRecord } from '../wire/presentation.ts';

/** Times are ISO 8601. */
export interface Explanation {
  readonly question: ExplainedQuestion;
  readonly at: string;
  /** What a person wants to know, in plain sentences. */
  readonly summary: readonly string[];
  /** Null: nothing is answered at all. */
  readonly rcode: string | null;
  /** Where the answer came from, the last part of it if it has several: see src/dns/outcome.ts. */
  readonly outcome: string;
  /** TCP: the answer was too long for UDP. */
  readonly transport: 'udp' | 'tcp';
  readonly tookMs: number;
  /** RFC 8914. */
  readonly extendedErrors: readonly { readonly code: number; readonly name: string | null; readonly text: string }[];
  /** The name that was asked for, and what CNAMEs lead to. */
  readonly names: readonly ExplainedStep[];
  /** The one of them that the last one's CNAME leads back to: the chain goes in a circle; null: it goes in none. */
  readonly leadsBackTo: string | null;
  /** Faults that somebody has set for the name. */
  readonly faults: readonly ActiveFault[];
  /** Those of the API's calls, which no DNS query meets. */
  readonly apiFaults: readonly ActiveFault[];
  readonly answer: readonly TextRecord[];
  readonly authority: readonly TextRecord[];
  readonly additional: readonly TextRecord[];
  /** What dig would print. */
  readonly dig: string;
}

export interface ExplainedQuestion {
  readonly name: string;
  readonly type: string;
  /** Whose it is. */
  readonly from: string;
  /** The address that it is sent to; null: not known. */
  readonly to: string | null;
}

export interface ActiveFault {
  /** In a few words, such as `SERVFAIL`, `a delay of 200 ms`, or of a call `RegisterInstance gets InternalFailure`. */
  readonly fault: string;
  /** Null: until it is taken away. */
  readonly until: string | null;
}

export interface ExplainedStep {
  readonly name: string;
  /** `settings`: static records, and the daemon's own name. */
  readonly source: 'registry' | 'settings' | 'outside';
  /** Null: it is no name of a namespace. */
  readonly registry: ExplainedName | null;
  /** What becomes of the name where it is in no namespace and no name of the settings. */
  readonly outside: ExplainedRoute;
  /** Of what is answered at the name where it is in no namespace; null: nothing is, or nothing says for how long. */
  readonly answeredTtl: AnsweredTtl | null;
  /** Of the name of an address: who is registered with that, the first few. */
  readonly registered: readonly string[];
  /** A name of the settings too, which does not count. */
  readonly isShadowingSettings: boolean;
}

export interface AnsweredTtl {
  /** As it is answered. */
  readonly ttlSeconds: number;
  /** As its source says; null: that is not known any more. */
  readonly configuredTtlSeconds: number | null;
  /** The setting that caps it. */
  readonly ttlCappedBy: string | null;
  /** `stale`: what upstreams said, after its time, which has a TTL of its own; `soa-ttl`: CLOUDMAPD_SOA_TTL. */
  readonly source: 'upstream' | 'stale' | 'records' | 'own-name' | 'soa-ttl';
  /** There are no records, and this is for how long clients may remember that. */
  readonly isNegative: boolean;
}

export interface ExplainedRoute {
  readonly rule: 'ask' | 'default' | 'refuse' | 'nxdomain' | 'localhost';
  /** Names that end in it are meant; `.`: all; null: no rule names it. */
  readonly suffix: string | null;
  /** The setting that says so. */
  readonly setting: string;
  /** Null: nobody is asked. */
  readonly upstreams: readonly ExplainedUpstream[] | null;
  /** What the thread that answered has of the question from before, or from just now. */
  readonly cache: { readonly storedAt: string; readonly expiresAt: string } | null;
  /** Whether names outside are looked up for the client at all. */
  readonly isClientServed: boolean;
  /** Namespaces of type HTTP that the name would be in. */
  readonly httpNamespaces: readonly string[];
  /** Of a name of one label: names in the namespaces that begin with it. */
  readonly fullNames: readonly string[];
}

export interface ExplainedUpstream {
  readonly address: string;
  readonly isLooping: boolean;
  readonly isDown: boolean;
  readonly rttMs: number | null;
}

/** What the registry has of a name. */
export interface ExplainedName {
  /** What has the name: `nothing` may have names below it. */
  readonly kind: 'service' | 'instance' | 'apex' | 'name-server' | 'nothing';
  readonly namespace: ExplainedNamespace;
  /** Other namespaces that the name could be of, had this one not come first. */
  readonly shadowed: readonly ShadowedNamespace[];
  readonly service: ExplainedService | null;
  /** Null: there are none of the type, nor a CNAME. */
  readonly records: ExplainedRecords | null;
  /** Of more than MAX_INSTANCES those in the answer, then those that are left out. */
  readonly instances: readonly ExplainedInstance[];
  readonly instanceCount: number;
  readonly healthyCount: number;
  /** How many instances there are of each verdict, where there are any. */
  readonly counts: Readonly<Partial<Record<Verdict, number>>>;
  /** Operations on its instances that are yet to happen, the first few. */
  readonly pending: readonly PendingOperation[];
  /** What somebody may have had in mind, where nothing has the name. */
  readonly hints: Hints;
}

export interface ExplainedNamespace {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** Of its SOA. */
  readonly serial: number;
  /** How long an answer without records is remembered. */
  readonly negativeTtlSeconds: number;
  readonly serviceCount: number;
}

export interface ShadowedNamespace {
  readonly id: string;
  readonly name: string;
  /** Another one of the same name is older; or another name is longer. */
  readonly reason: 'older' | 'longer';
  /** The service that has the name there; null: none has. */
  readonly service: string | null;
}

export interface ExplainedService {
  readonly id: string;
  readonly name: string;
  readonly routingPolicy: RoutingPolicy | null;
  readonly records: readonly { readonly type: RecordType; readonly ttlSeconds: number }[];
  readonly check: 'none' | 'custom' | 'HTTP' | 'HTTPS' | 'TCP';
}

export interface ExplainedRecords {
  readonly type: string;
  /** As it is answered; null: those of aliases, each its own. */
  readonly ttlSeconds: number | null;
  readonly configuredTtlSeconds: number | null;
  /** The setting that caps it. */
  readonly ttlCappedBy: string | null;
  /** How many instances have such records, and how many of them may be in an answer. */
  readonly ableCount: number;
  readonly eligibleCount: number;
  /** None is healthy, and so others are answered. */
  readonly fallback: {
    readonly kind: 'last-healthy' | 'all';
    readonly lastHealthyAt: string | null;
    /** CLOUDMAPD_DNS_FALLBACK: where nothing ever was healthy, all are answered whatever it says. */
    readonly setting: 'last-healthy' | 'all';
  } | null;
}

export const VERDICTS = [
  'answered',
  /** Others are healthy. */
  'unhealthy',
  /** None is healthy, and others were later. */
  'not-last-healthy',
  /** It has nothing of that type. */
  'no-record',
  /** What it stands for has no address that is known. */
  'alias-unresolved',
  /** It may be in the next answer. */
  'not-drawn',
  /** It could have been in the answer, which a fault kept back. */
  'fault',
  /** It was drawn, and what it leads to could not be looked up. */
  'failed',
] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface ExplainedInstance {
  readonly id: string;
  /** UNKNOWN: nobody checks it. */
  readonly health: HealthStatus | 'UNKNOWN';
  /** The name that it stands for; null: it is no alias. */
  readonly alias: string | null;
  readonly registeredAt: string;
  /** Null: its status has been the same since it was registered. */
  readonly lastTransition: { readonly at: string; readonly health: HealthStatus; readonly reason: string } | null;
  readonly lastHealthyAt: string | null;
  /** A custom status that is yet to take effect. */
  readonly pending: { readonly health: HealthStatus; readonly at: string } | null;
  /** RDATA, as in a zone file. */
  readonly records: readonly string[];
  readonly ttlSeconds: number | null;
  /** The setting that caps it, of an alias; of others see ExplainedRecords. */
  readonly ttlCappedBy: string | null;
  readonly verdict: Verdict;
}

export interface PendingOperation {
  readonly id: string;
  readonly type: 'REGISTER_INSTANCE' | 'DEREGISTER_INSTANCE';
  readonly instance: string;
  readonly at: string;
}

export interface Hints {
  /** It exists, but only for the API: it has no DnsConfig. */
  readonly apiOnlyService: string | null;
  /** Names below this one, the first few. */
  readonly below: readonly string[];
  /** Names much like it. */
  readonly similar: readonly string[];
}
