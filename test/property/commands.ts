/** What a random sequence is made of. Commands say which thing they are about by its place, as ids are not known yet. */
import type { RecordType } from './calls.ts';

// Few names, so that calls get in each other's way.
/** One is nested in another and has the name of a service there, one differs by case alone. */
export const NAMESPACE_NAMES = ['corp.test', 'web.corp.test', 'Corp.test'] as const;
/** One differs by case alone, one is where the SRV target of an instance is, one is the namespace itself. */
export const SERVICE_NAMES = ['web', 'WEB', 'a.web', '.'] as const;
/** Two differ by case alone, one as an SRV target at the apex is where a service is. */
export const INSTANCE_IDS = ['a', 'A', 'b', 'web'] as const;
/** Which one of those that are there, oldest first; GONE: one that is not there any longer, or never was. */
export type Pick = number;
export const GONE = -1;

export type Command =
  | {
      readonly kind: 'create-namespace';
      readonly type: 'Http' | 'PrivateDns' | 'PublicDns';
      readonly name: string;
      readonly vpc: string;
      readonly description: string | undefined;
      readonly soaTtl: number | undefined;
      readonly request: string | undefined;
    }
  | {
      readonly kind: 'update-namespace';
      readonly namespace: Pick;
      /** Undefined: the type that it has. */
      readonly type: 'Http' | 'PrivateDns' | 'PublicDns' | undefined;
      readonly description: string | undefined;
      readonly soaTtl: number | undefined;
      readonly request: string | undefined;
    }
  | { readonly kind: 'delete-namespace'; readonly namespace: Pick }
  | {
      readonly kind: 'create-service';
      readonly namespace: Pick;
      readonly name: string;
      readonly dns: { readonly types: readonly RecordType[]; readonly ttls: readonly number[] } | undefined;
      readonly policy: string | undefined;
      readonly isHttp: boolean;
      /** Whether a service of an HTTP namespace is to have records too, which it cannot. */
      readonly isMisfit: boolean;
      readonly check: 'none' | 'custom' | 'both';
      readonly request: string | undefined;
    }
  | {
      readonly kind: 'update-service';
      readonly service: Pick;
      readonly description: string | undefined;
      /** Undefined: none, so that the service leaves DNS. `own`: those that it has. */
      readonly types: readonly RecordType[] | 'own' | undefined;
      readonly ttls: readonly number[];
    }
  | { readonly kind: 'delete-service'; readonly service: Pick }
  /** Deregisters every instance of the service, all at the same moment. */
  | { readonly kind: 'empty-service'; readonly service: Pick }
  | {
      readonly kind: 'register';
      readonly service: Pick;
      readonly id: string;
      readonly ipv4: string | undefined;
      readonly ipv6: string | undefined;
      readonly port: string | undefined;
      readonly cname: string | undefined;
      readonly init: string | undefined;
      /** Whether `init` is given also to a service that has no use for it. */
      readonly isMisfit: boolean;
      readonly stage: string | undefined;
      readonly request: string | undefined;
    }
  | { readonly kind: 'deregister'; readonly service: Pick; readonly instance: Pick }
  | {
      readonly kind: 'health';
      readonly service: Pick;
      readonly instance: Pick;
      readonly status: 'HEALTHY' | 'UNHEALTHY';
    }
  | {
      readonly kind: 'tag' | 'untag';
      readonly on: 'namespace' | 'service';
      readonly pick: Pick;
      readonly key: string;
      readonly value: string;
    }
  | {
      readonly kind: 'set-attribute' | 'delete-attribute';
      readonly service: Pick;
      readonly key: string;
      readonly value: string;
    }
  /** Sends a call of before once more, as it was: 0 is the last one, perhaps of the same moment. */
  | { readonly kind: 'again'; readonly back: number };

/** Commands of one moment; or the daemon is stopped and started. */
export type Step = readonly Command[] | 'restart';
