/** What a name of our own zones resolves to, for those inside the daemon who would otherwise have to ask by DNS. */
import { type AliasTarget, aliasNameOf, type Instance, type Service } from '../registry/model.ts';
import type { State } from '../registry/state.ts';
import { type DnsFallback, selectEligible } from './eligible.ts';

type OwnAddresses =
  | {
      readonly kind: 'addresses';
      readonly ipv4: readonly string[];
      readonly ipv6: readonly string[];
      readonly ttlSeconds: number;
    }
  /** The name is another one's, which may be outside. */
  | { readonly kind: 'cname'; readonly target: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'outside' };

/** CNAMEs longer than this are a loop, or might as well be. */
const MAX_CHAIN = 16;

/**
 * Follows CNAMEs for as long as they lead into our zones.
 * @returns the addresses; null: the name is ours and has none; `outside`: the name that the upstreams have to be asked
 */
export function resolveOwn(
  state: State,
  name: string,
  fallback: DnsFallback,
): { ipv4: readonly string[]; ipv6: readonly string[]; ttlSeconds: number } | null | { outside: string } {
  let wanted = name;
  for (let links = 0; links < MAX_CHAIN; links++) {
    const found = findOwnAddresses(state, wanted, fallback);
    if (found.kind === 'addresses') return { ipv4: found.ipv4, ipv6: found.ipv6, ttlSeconds: found.ttlSeconds };
    if (found.kind === 'outside') return { outside: wanted };
    if (found.kind === 'none') return null;
    wanted = found.target.toLowerCase().replace(/\.$/, '');
  }
  return null;
}

/** @param name lower case, without an ending dot */
function findOwnAddresses(state: State, name: string, fallback: DnsFallback): OwnAddresses {
  const labels = name.split('.');
  for (let i = 0; i < labels.length; i++) {
    const namespace = state.zoneNamespaces(labels.slice(i).join('.'))[0];
    if (namespace === undefined) continue;
    const [kind, serviceId, ...instanceId] = (state.holderOf(namespace.id, labels.slice(0, i).join('.')) ?? '').split(
      '/',
    );
    const service = state.service(serviceId ?? '');
    if (service === undefined) return { kind: 'none' };
    if (kind === 'service') return addressesOfService(state, service, fallback);
    const instance = state.instance(service.id, instanceId.join('/'));
    return instance === undefined ? { kind: 'none' } : addressesOf(state, [instance], ttlOf(service));
  }
  return { kind: 'outside' };
}

function addressesOfService(state: State, service: Service, fallback: DnsFallback): OwnAddresses {
  const aliasTarget = (name: string): AliasTarget | undefined => state.aliasTarget(name);
  const { instances } = selectEligible(service, [...state.instancesOf(service.id).values()], fallback, aliasTarget);
  if (service.dns?.records.some(({ type }) => type === 'CNAME')) {
    const target = instances[0]?.attributes.AWS_INSTANCE_CNAME;
    return target === undefined ? { kind: 'none' } : { kind: 'cname', target };
  }
  // The addresses of an SRV service stand at its targets.
  if (service.dns?.records.some(({ type }) => type === 'SRV')) return { kind: 'none' };
  return addressesOf(state, instances, ttlOf(service));
}

function addressesOf(state: State, instances: readonly Instance[], ttlSeconds: number): OwnAddresses {
  const ipv4: string[] = [];
  const ipv6: string[] = [];
  for (const instance of instances) {
    const alias = aliasNameOf(instance);
    const target = alias === null ? undefined : state.aliasTarget(alias);
    ipv4.push(...(target?.ipv4 ?? []));
    ipv6.push(...(target?.ipv6 ?? []));
    if (instance.attributes.AWS_INSTANCE_IPV4 !== undefined) ipv4.push(instance.attributes.AWS_INSTANCE_IPV4);
    if (instance.attributes.AWS_INSTANCE_IPV6 !== undefined) ipv6.push(instance.attributes.AWS_INSTANCE_IPV6);
  }
  return ipv4.length + ipv6.length === 0 ? { kind: 'none' } : { kind: 'addresses', ipv4, ipv6, ttlSeconds };
}

function ttlOf({ dns }: Service): number {
  return Math.min(...(dns?.records ?? []).map(({ ttlSeconds }) => ttlSeconds));
}
