/** What a name of our own zones resolves to, for those inside the daemon who would otherwise have to ask by DNS. */
import { type AliasTarget, aliasNameOf, type Instance, type Service } from '../registry/model.ts';
import type { State } from '../registry/state.ts';
import { type DnsFallback, selectEligible } from './eligible.ts';

export interface OwnAddresses {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  readonly ttlSeconds: number;
}

type Found =
  | ({ readonly kind: 'addresses' } & OwnAddresses)
  | { readonly kind: 'none' }
  /** Nothing but what was being looked for in the first place. */
  | { readonly kind: 'cycle' }
  | { readonly kind: 'outside'; readonly name: string };

/** CNAMEs longer than this are a loop, or might as well be. */
const MAX_CHAIN = 16;

/**
 * Follows CNAMEs and aliases for as long as they lead into our zones. An alias that leads back to where it stands
 * brings nothing: what it stands for is decided by the other instances, never by what it stood for before.
 * @returns the addresses; null: the name is ours and has none; `outside`: the name that the upstreams have to be asked
 */
export function resolveOwn(
  state: State,
  name: string,
  fallback: DnsFallback,
): OwnAddresses | null | { outside: string } {
  const found = new OwnLookup(state, fallback).find(name);
  if (found.kind === 'addresses') return { ipv4: found.ipv4, ipv6: found.ipv6, ttlSeconds: found.ttlSeconds };
  return found.kind === 'outside' ? { outside: found.name } : null;
}

class OwnLookup {
  readonly #state: State;
  readonly #fallback: DnsFallback;
  /** Services on the way from the name that was asked for to the one being looked at. */
  readonly #path = new Set<string>();

  constructor(state: State, fallback: DnsFallback) {
    this.#state = state;
    this.#fallback = fallback;
  }

  find(name: string): Found {
    let wanted = name;
    for (let links = 0; links < MAX_CHAIN; links++) {
      const found = this.#findOne(wanted);
      if (found.kind !== 'cname') return found;
      wanted = found.target.toLowerCase().replace(/\.$/, '');
    }
    return { kind: 'none' };
  }

  /** @param name lower case, without an ending dot */
  #findOne(name: string): Found | { readonly kind: 'cname'; readonly target: string } {
    const labels = name.split('.');
    for (let i = 0; i < labels.length; i++) {
      const namespace = this.#state.zoneNamespaces(labels.slice(i).join('.'))[0];
      if (namespace === undefined) continue;
      const holder = this.#state.holderOf(namespace.id, labels.slice(0, i).join('.')) ?? '';
      const [kind, serviceId = '', ...instanceId] = holder.split('/');
      const service = this.#state.service(serviceId);
      if (service === undefined) return { kind: 'none' };
      if (kind === 'service') return this.#findService(service);
      const instance = this.#state.instance(service.id, instanceId.join('/'));
      const own = instance === undefined ? null : ownAddresses(instance);
      return own === null ? { kind: 'none' } : { kind: 'addresses', ...own, ttlSeconds: ttlOf(service) };
    }
    return { kind: 'outside', name };
  }

  #findService(service: Service): Found | { readonly kind: 'cname'; readonly target: string } {
    const has = (type: string): boolean => service.dns?.records.some((record) => record.type === type) === true;
    const instances = [...this.#state.instancesOf(service.id).values()];
    if (has('CNAME')) {
      const target = this.#eligible(service, instances)[0]?.attributes.AWS_INSTANCE_CNAME;
      return target === undefined ? { kind: 'none' } : { kind: 'cname', target };
    }
    // The addresses of an SRV service stand at its targets.
    if (has('SRV')) return { kind: 'none' };
    if (this.#path.has(service.id)) return { kind: 'cycle' };
    this.#path.add(service.id);
    const resolved = new Map<Instance, AliasTarget>();
    for (const instance of instances) {
      const target = this.#targetOf(service, instance);
      if (target !== null) resolved.set(instance, target);
    }
    this.#path.delete(service.id);
    // As records are chosen: for each type among those that have one.
    const choose = (family: 'ipv4' | 'ipv6'): readonly Instance[] => {
      const able = [...resolved.keys()].filter((instance) => (resolved.get(instance)?.[family].length ?? 0) > 0);
      return this.#eligible(
        service,
        able,
        (name) => [...resolved].find(([instance]) => aliasNameOf(instance) === name)?.[1],
      );
    };
    const v4 = has('A') ? choose('ipv4') : [];
    const v6 = has('AAAA') ? choose('ipv6') : [];
    if (v4.length + v6.length === 0) return { kind: 'none' };
    const targets = (chosen: readonly Instance[]): AliasTarget[] =>
      chosen.map((instance) => resolved.get(instance) as AliasTarget);
    return {
      kind: 'addresses',
      ipv4: [...new Set(targets(v4).flatMap(({ ipv4 }) => ipv4))],
      ipv6: [...new Set(targets(v6).flatMap(({ ipv6 }) => ipv6))],
      ttlSeconds: Math.min(...targets([...v4, ...v6]).map(({ ttlSeconds }) => ttlSeconds)),
    };
  }

  /** What the instance brings; null: nothing, since it leads nowhere or back. */
  #targetOf(service: Service, instance: Instance): AliasTarget | null {
    const alias = aliasNameOf(instance);
    if (alias === null) {
      const own = ownAddresses(instance);
      return own === null ? null : { ...own, ttlSeconds: ttlOf(service), isHealthy: true, lastHealthyAt: null };
    }
    const found = this.find(alias);
    const lastHealthyAt = this.#state.aliasTarget(alias)?.lastHealthyAt ?? null;
    if (found.kind === 'addresses') return { ...found, isHealthy: true, lastHealthyAt };
    return found.kind === 'outside' ? (this.#state.aliasTarget(alias) ?? null) : null;
  }

  #eligible(
    service: Service,
    instances: readonly Instance[],
    aliasTarget: (name: string) => AliasTarget | undefined = () => undefined,
  ): readonly Instance[] {
    return selectEligible(service, instances, this.#fallback, aliasTarget).instances;
  }
}

function ownAddresses({ attributes }: Instance): { ipv4: string[]; ipv6: string[] } | null {
  const { AWS_INSTANCE_IPV4: ipv4, AWS_INSTANCE_IPV6: ipv6 } = attributes;
  if (ipv4 === undefined && ipv6 === undefined) return null;
  return { ipv4: ipv4 === undefined ? [] : [ipv4], ipv6: ipv6 === undefined ? [] : [ipv6] };
}

function ttlOf({ dns }: Service): number {
  return Math.min(...(dns?.records ?? []).map(({ ttlSeconds }) => ttlSeconds));
}
