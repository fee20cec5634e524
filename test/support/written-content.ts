/** What a writer writes while the daemon is killed or its disk fails: each call's number is in all that it makes. */
import type { ServiceInput } from './journey-api.ts';

export const DNS_NAMESPACE = 'crash.internal';
export const HTTP_NAMESPACE = 'crash-http';
/** Comes and goes, with its service. */
export const PASSING_NAMESPACE = 'passing.internal';

export type WrittenType = 'A' | 'AAAA' | 'SRV';

export interface WrittenService {
  readonly namespace: string;
  readonly name: string;
  readonly types: readonly WrittenType[];
  /** By UpdateInstanceCustomHealthStatus. */
  readonly isChecked: boolean;
  /** So many come and go. */
  readonly instances: number;
}

/** Those that stay. Where eight may be answered there are no more, so that each answer is the whole. */
export const STAYING: readonly WrittenService[] = [
  { namespace: DNS_NAMESPACE, name: 'web', types: ['A'], isChecked: true, instances: 8 },
  { namespace: DNS_NAMESPACE, name: 'dual', types: ['A', 'AAAA'], isChecked: false, instances: 8 },
  { namespace: DNS_NAMESPACE, name: '_db._tcp', types: ['SRV'], isChecked: true, instances: 30 },
  { namespace: HTTP_NAMESPACE, name: 'jobs', types: [], isChecked: true, instances: 20 },
];

/** Nobody changes it once it is there. */
export const STEADY: WrittenService = {
  ...{ namespace: DNS_NAMESPACE, name: 'steady', types: ['A'], isChecked: false, instances: 3 },
};

/** Those that come and go. */
export const PASSING: readonly WrittenService[] = [
  { namespace: DNS_NAMESPACE, name: 'passing', types: ['A'], isChecked: false, instances: 1 },
  { namespace: PASSING_NAMESPACE, name: 'inner', types: ['A'], isChecked: true, instances: 1 },
];

export const ALL_SERVICES: readonly WrittenService[] = [...STAYING, STEADY, ...PASSING];

export const namespaceKey = (namespace: string): string => `namespace ${namespace}`;
export const serviceKey = (namespace: string, name: string): string => `service ${namespace}/${name}`;
export const instanceKey = (namespace: string, service: string, id: string): string =>
  `instance ${namespace}/${service}/${id}`;

export const instanceIds = ({ instances }: Pick<WrittenService, 'instances'>): string[] =>
  Array.from({ length: instances }, (_, i) => `i-${i}`);

/** Of namespaces and services. */
export const descriptionOf = (call: number): string => `call ${call}`;

export const ttlOf = (call: number): number => 1 + (call % 1000);

export function serviceInput({ types, isChecked }: WrittenService, call: number): ServiceInput {
  return {
    records: types.map((type) => [type, ttlOf(call)]),
    Description: descriptionOf(call),
    ...(isChecked && { HealthCheckCustomConfig: {} }),
  };
}

/** Of some octets or of some thousand, so that records move about in the file. */
export function attributesOf(isChecked: boolean, call: number): Record<string, string> {
  const attributes: Record<string, string> = {
    AWS_INSTANCE_IPV4: `10.${(call >> 16) & 255}.${(call >> 8) & 255}.${call & 255}`,
    // Without zeros, so that there is one way to write it.
    AWS_INSTANCE_IPV6: `fd00:1:1:1:1:1:${(1 + (call >> 15)).toString(16)}:${(1 + (call & 0x7fff)).toString(16)}`,
    AWS_INSTANCE_PORT: String(1 + (call % 65_535)),
    call: String(call),
  };
  for (let n = call % 5; n > 0; n--) attributes[`more-${n}`] = String(n).repeat(1 + ((call * 37) % 900));
  if (isChecked && call % 7 === 0) attributes.AWS_INIT_HEALTH_STATUS = 'UNHEALTHY';
  return attributes;
}

/** An instance's state in the ledger. */
export function instanceState(call: number, status: string): string {
  return `call ${call} ${status}`;
}

/** After a registration. */
export function firstState(isChecked: boolean, call: number): string {
  if (!isChecked) return instanceState(call, 'UNKNOWN');
  return instanceState(call, attributesOf(isChecked, call).AWS_INIT_HEALTH_STATUS ?? 'HEALTHY');
}

/** The number in a description or a state. */
export function callOf(state: string): number {
  return Number(/^call (\d+)/.exec(state)?.[1]);
}
