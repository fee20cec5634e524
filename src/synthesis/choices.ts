/** What one instance brings to an RRset of its service: the instance's attributes to records, in wire form. */
import type { Additional, Choice } from '../answers/answer-set.ts';
import {
  type AliasTarget,
  aliasNameOf,
  type DnsRecord,
  type Instance,
  type Namespace,
  type RecordType,
  type Service,
} from '../registry/model.ts';
import { absoluteName, instanceOwner } from '../registry/owner-names.ts';
import { TYPE } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import { aaaaRdata, aRdata, cnameRdata, recordTail, srvRdata } from '../wire/rdata.ts';
import { cappedTtl, type TtlCap } from './compile-options.ts';

// Fixed in Cloud Map's SRV records.
const SRV_PRIORITY = 1;
const SRV_WEIGHT = 1;

const NO_ADDITIONALS: readonly Additional[] = [];

/**
 * The records that instances have of one type. Null where an instance does not have the type's attributes: the type came
 * later.
 */
export function choicesOfRecords(
  namespace: Namespace,
  service: Service,
  { type, ttlSeconds }: DnsRecord,
  options: TtlCap,
): (instance: Instance) => Choice | null {
  const ttl = cappedTtl(ttlSeconds, options);
  return (instance) => {
    const rdata = rdataOf(namespace, service, instance, type);
    if (rdata === null) return null;
    return {
      answers: [recordTail(TYPE[type], ttl, rdata)],
      additionals: type === 'SRV' ? targetAddresses(instance, ttl) : NO_ADDITIONALS,
    };
  };
}

/** All addresses of the alias, under the target's own TTL. Null where the target has none of the type. */
export function choiceOfAlias(
  instance: Instance,
  type: RecordType,
  aliasTarget: (name: string) => AliasTarget | undefined,
  options: TtlCap,
): Choice | null {
  const target = aliasTarget(aliasNameOf(instance) ?? '');
  const rdatas = type === 'A' ? target?.ipv4.map(aRdata) : type === 'AAAA' ? target?.ipv6.map(aaaaRdata) : undefined;
  if (target === undefined || rdatas === undefined || rdatas.length === 0) return null;
  const ttl = cappedTtl(target.ttlSeconds, options);
  // One address may be written in several ways, and an RRset has no record twice (RFC 2181 s5).
  const tails = new Map(
    rdatas.map((rdata) => [Buffer.from(rdata).toString('latin1'), recordTail(TYPE[type], ttl, rdata)]),
  );
  return { answers: [...tails.values()], additionals: [] };
}

/** So many are compared with each other; of more each has a key made. */
const MAX_COMPARED = 32;

/** One choice per distinct RDATA: an RRset has no record twice (RFC 2181 s5). */
export function withoutRepeats(choices: Choice[]): Choice[] {
  if (choices.length <= MAX_COMPARED)
    return choices.filter((choice, i) => {
      for (let j = 0; j < i; j++) if (haveSameAnswers(choices[j] as Choice, choice)) return false;
      return true;
    });
  const byAnswers = new Map<string, Choice>();
  for (const choice of choices) {
    const key = choice.answers.map(textOf).join('');
    if (!byAnswers.has(key)) byAnswers.set(key, choice);
  }
  return byAnswers.size === choices.length ? choices : [...byAnswers.values()];
}

function haveSameAnswers({ answers: a }: Choice, { answers: b }: Choice): boolean {
  return a.length === b.length && a.every((tail, i) => areEqual(tail, b[i] as Uint8Array));
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  // From the end: records of one RRset begin with the same octets.
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false;
  return true;
}

/** Octets as a string, which can be a key. */
export function textOf(bytes: Uint8Array): string {
  // Not by Buffer: V8 would have to move each of these small arrays out of its heap.
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** The addresses of an SRV record's target, which stands directly below the owner name. */
function targetAddresses(instance: Instance, ttl: number): Additional[] {
  const name = toWireName(instance.id);
  const prefix = name.subarray(0, name.length - 1);
  return addressTails(instance, ttl).map(({ tail }) => ({ prefix, tail }));
}

/** Its A and AAAA records. */
export function addressTails({ attributes }: Instance, ttl: number): { type: number; tail: Uint8Array }[] {
  const tails: { type: number; tail: Uint8Array }[] = [];
  const { AWS_INSTANCE_IPV4: ipv4, AWS_INSTANCE_IPV6: ipv6 } = attributes;
  if (ipv4 !== undefined) tails.push({ type: TYPE.A, tail: recordTail(TYPE.A, ttl, aRdata(ipv4)) });
  if (ipv6 !== undefined) tails.push({ type: TYPE.AAAA, tail: recordTail(TYPE.AAAA, ttl, aaaaRdata(ipv6)) });
  return tails;
}

function rdataOf(namespace: Namespace, service: Service, instance: Instance, type: RecordType): Uint8Array | null {
  const { attributes } = instance;
  switch (type) {
    case 'A':
      return attributes.AWS_INSTANCE_IPV4 === undefined ? null : aRdata(attributes.AWS_INSTANCE_IPV4);
    case 'AAAA':
      return attributes.AWS_INSTANCE_IPV6 === undefined ? null : aaaaRdata(attributes.AWS_INSTANCE_IPV6);
    case 'CNAME':
      return attributes.AWS_INSTANCE_CNAME === undefined ? null : cnameRdata(attributes.AWS_INSTANCE_CNAME);
    case 'SRV': {
      if (attributes.AWS_INSTANCE_PORT === undefined) return null;
      const target = absoluteName(instanceOwner(service.name, instance.id), namespace).toLowerCase();
      return srvRdata(SRV_PRIORITY, SRV_WEIGHT, Number(attributes.AWS_INSTANCE_PORT), target);
    }
  }
}
