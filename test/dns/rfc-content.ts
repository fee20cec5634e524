/** The one content that all cases of `rfc-cases.ts` are asked against. */
import { encodeAnswerSet, type Rrset } from '../../src/answers/answer-set.ts';
import { DeltaWriter } from '../../src/answers/delta.ts';
import type { ZoneSet } from '../../src/answers/zone-set.ts';
import type { Change } from '../../src/registry/model.ts';
import { toWireName } from '../../src/wire/names.ts';
import { rrset, soaRrset, tailOf } from '../support/answering.ts';
import {
  Content,
  type InstanceSpec,
  putInstance,
  putNamespace,
  putService,
  type ServiceSpec,
} from '../support/content.ts';
import { nameBytes } from '../support/message.ts';

/** Registered instances of SRV services with ids so long that four, or eight, of them fill a datagram. */
export const LONG_IDS = Array.from({ length: 8 }, (_, i) => `${'long-instance-id-'.repeat(3)}${i}`);
/** Labels such that `<label>.bytes.internal A` has as many records, and its reply the length that the cases say. */
export const FITTING: Readonly<Record<string, number>> = {
  ['e'.repeat(15)]: 29,
  ['f'.repeat(16)]: 29,
  ['g'.repeat(4)]: 29,
  ['h'.repeat(5)]: 29,
  ['i'.repeat(20)]: 73,
  ['j'.repeat(21)]: 73,
};

/** A service and its instances. Ids are the services' names within their namespace. */
function service(
  namespaceId: string,
  name: string,
  spec: ServiceSpec,
  ...instances: Omit<InstanceSpec, 'serviceId'>[]
) {
  const id = `srv-${namespaceId}-${name}`;
  return [
    putService({ ...spec, id, namespaceId, name }),
    ...instances.map((instance) => putInstance({ ...instance, serviceId: id })),
  ];
}

function alias(name: string, target: string): Change[] {
  return service('ns-1', name, { records: 'CNAME 20', policy: 'WEIGHTED' }, { id: 'to', cname: target });
}

const longSrv = (count: number): Omit<InstanceSpec, 'serviceId'>[] =>
  LONG_IDS.slice(0, count).map((id, i) => ({ id, ipv4: `10.0.6.${i}`, port: 80 }));

function registered(): Change[] {
  return [
    putNamespace({ id: 'ns-1', name: 'corp.internal' }),
    putNamespace({ id: 'ns-2', name: 'sub.corp.internal', soaTtlSeconds: 15, createdAt: 2 }),
    putNamespace({ id: 'ns-3', name: 'other.internal', soaTtlSeconds: 30, createdAt: 3 }),
    putNamespace({ id: 'ns-4', name: 'Mixed.Internal', createdAt: 4 }),
    ...service(
      'ns-1',
      'web',
      { records: 'A 60, AAAA 30' },
      { id: 'web-1', ipv4: '10.0.0.1', ipv6: '2001:db8::1' },
      { id: 'web-2', ipv4: '10.0.0.2', ipv6: '2001:db8::2' },
    ),
    ...service('ns-1', 'v4', { records: 'A 60' }, { id: 'a', ipv4: '10.0.0.4' }),
    ...service('ns-1', '.', { records: 'A 60' }, { id: 'a', ipv4: '10.0.0.9' }),
    ...service('ns-1', 'twice', { records: 'A 60' }, { id: 'a', ipv4: '10.0.0.7' }, { id: 'b', ipv4: '10.0.0.7' }),
    ...service('ns-1', 'zero', { records: 'A 0' }, { id: 'a', ipv4: '10.0.0.3' }),
    ...service('ns-1', 'years', { records: 'A 2147483647' }, { id: 'a', ipv4: '10.0.0.3' }),
    ...service('ns-1', 'deep.a.b', { records: 'A 60' }, { id: 'a', ipv4: '10.0.0.8' }),
    ...service(
      'ns-1',
      '_db._tcp',
      { records: 'SRV 60' },
      { id: 'db-1', ipv4: '10.0.1.1', ipv6: '2001:db8:1::1', port: 5432 },
      { id: 'DB-2', ipv4: '10.0.1.2', port: 5433 },
    ),
    ...service('ns-1', '_mid._tcp', { records: 'SRV 60' }, ...longSrv(4)),
    ...service('ns-1', '_long._tcp', { records: 'SRV 60' }, ...longSrv(8)),
    ...alias('shop', 'Web.Corp.internal'),
    ...alias('link1', 'link2.corp.internal'),
    ...alias('link2', 'shop.corp.internal'),
    ...alias('far', 'www.example.com'),
    ...alias('lost', 'nobody.corp.internal'),
    ...alias('cross', 'db.other.internal'),
    ...alias('cross-lost', 'nobody.other.internal'),
    ...alias('half', '_tcp.corp.internal'),
    ...alias('down', 'api.sub.corp.internal'),
    ...alias('to-srv', '_db._tcp.corp.internal'),
    ...alias('to-apex', 'corp.internal'),
    ...alias('ping', 'pong.corp.internal'),
    ...alias('pong', 'ping.corp.internal'),
    ...alias('self', 'self.corp.internal'),
    ...service('ns-2', 'api', { records: 'A 60' }, { id: 'a', ipv4: '10.0.2.1' }),
    ...service('ns-3', 'db', { records: 'A 60' }, { id: 'a', ipv4: '10.0.3.1' }),
    ...service('ns-4', 'Api', { records: 'A 60' }, { id: 'a', ipv4: '10.0.4.1' }),
  ];
}

function addresses(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `60 IN A 10.1.${i >> 8}.${i & 255}`);
}

/** Names and sizes that no registration makes, given to the answering side as the synthesiser would. */
function putBytesZone(zones: ZoneSet): void {
  const apex = toWireName('bytes.internal');
  const delta = new DeltaWriter();
  const put = (owner: string, ...rrsets: Rrset[]): void =>
    delta.putSet(apex, Uint8Array.from(nameBytes(`${owner}bytes.internal`)), encodeAnswerSet(rrsets));
  delta.putZone(apex);
  put('', soaRrset('bytes.internal'));
  const odd = [
    'a\\.b',
    'nul\\000',
    'sp\\032ace',
    '\\255',
    '\\228',
    'caf\\195\\169',
    'back\\\\slash',
    '\\001\\002',
    'x{',
  ];
  odd.forEach((label, i) => {
    put(`${label}.`, rrset([`60 IN A 10.2.0.${i + 1}`]));
  });
  for (const [label, count] of Object.entries(FITTING)) put(`${label}.`, rrset(addresses(count)));
  // 16 choices of 250 records each, as sixteen aliases with many addresses would be.
  const answers = Array.from({ length: 16 }, (_, i) =>
    Array.from({ length: 250 }, (__, j) => tailOf(`60 IN A 10.3.${i}.${j}`)),
  );
  put('huge.', { type: 1, policy: 'all', choices: answers.map((tails) => ({ answers: tails, additionals: [] })) });
  const long = (letter: string): string => [1, 2, 3].map(() => letter.repeat(60)).join('.');
  put(`${long('a')}.`, rrset([`20 IN CNAME ${long('b')}.bytes.internal`]));
  put(`${long('b')}.`, rrset([`20 IN CNAME ${long('c')}.bytes.internal`]));
  zones.apply(delta.finish());
}

export function rfcContent(): Content {
  const content = new Content(registered());
  putBytesZone(content.zones);
  return content;
}
