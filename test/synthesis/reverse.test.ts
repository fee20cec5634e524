/** PTR records of registered addresses (a setting of ours; Cloud Map has none). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change } from '../../src/registry/model.ts';
import { startApi, type TestApi } from '../support/api.ts';
import {
  Content,
  dropInstance,
  dropNamespace,
  dropService,
  putInstance,
  putNamespace,
  putService,
} from '../support/content.ts';
import { dig } from '../support/dns.ts';
import { requireTool, runDig } from '../support/journey-tools.ts';

const SEVEN = '7.0.0.10.in-addr.arpa';
const SIX = '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa';

const start = (...changes: Change[]) => new Content([putNamespace(), ...changes], { hasPtr: true });
const at = (content: Content, reverse = SEVEN): string[] =>
  content.dig(reverse, 'PTR').map((record) => record.split(' IN ').at(-1) as string);

describe('an address', () => {
  it('points to the service that has it in an A or AAAA record', () => {
    const content = start(
      putService({ records: 'A 60, AAAA 30' }),
      putInstance({ id: 'a', ipv4: '10.0.0.7', ipv6: 'fd00::7' }),
    );
    expect(content.dig(SEVEN, 'PTR')).toEqual([`${SEVEN}. 60 IN PTR web.corp.internal.`]);
    expect(content.dig(SIX, 'PTR')).toEqual([`${SIX}. 30 IN PTR web.corp.internal.`]);
    expect(content.dig(SEVEN.toUpperCase(), 'PTR')).toHaveLength(1);
  });

  it('points to the SRV target that has it', () => {
    const content = start(
      putService({ name: '_db._tcp', records: 'SRV 9' }),
      putInstance({ id: 'DB-1', ipv4: '10.0.0.7', ipv6: 'FD00:0::7', port: 1 }),
    );
    for (const name of [SEVEN, SIX]) expect(at(content, name)).toEqual(['PTR db-1._db._tcp.corp.internal.']);
  });

  it('does not point to a service without a record of its family', () => {
    const content = start(
      putService({ records: 'AAAA 60' }),
      putInstance({ id: 'a', ipv4: '10.0.0.7', ipv6: 'fd00::7' }),
    );
    expect(at(content)).toEqual(['REFUSED']);
    expect(at(content, SIX)).toEqual(['PTR web.corp.internal.']);
  });

  it('points to each name that has it, once, under the least TTL', () => {
    const content = start(
      putService({ records: 'A 60' }),
      putInstance({ id: 'a', ipv4: '10.0.0.7' }),
      putInstance({ id: 'b', ipv4: '10.0.0.7' }),
      putService({ id: 'srv-2', name: 'api', records: 'A 20' }),
      putInstance({ serviceId: 'srv-2', id: 'a', ipv4: '10.0.0.7' }),
    );
    expect(content.dig(SEVEN, 'PTR')).toEqual([
      `${SEVEN}. 20 IN PTR api.corp.internal.`,
      `${SEVEN}. 20 IN PTR web.corp.internal.`,
    ]);
    content.change(dropInstance('a'));
    expect(at(content)).toEqual(['PTR api.corp.internal.', 'PTR web.corp.internal.']);
    content.change(dropInstance('b'));
    expect(content.dig(SEVEN, 'PTR')).toEqual([`${SEVEN}. 20 IN PTR api.corp.internal.`]);
  });

  it('is a zone of its own: other types are NODATA, names below NXDOMAIN, other addresses not ours', () => {
    const content = start(putService(), putInstance({ id: 'a', ipv4: '10.0.0.7' }));
    expect(content.dig(SEVEN, 'A')).toEqual(['NODATA']);
    expect(content.dig(SEVEN, 'NS')).toEqual([`${SEVEN}. 5 IN NS ns.corp.internal.`]);
    expect(content.dig(SEVEN, 'SOA')[0]).toMatch(/ SOA ns\.corp\.internal\. hostmaster\.corp\.internal\. \d+ /);
    expect(content.dig(`x.${SEVEN}`, 'PTR')).toEqual(['NXDOMAIN']);
    expect(at(content, '8.0.0.10.in-addr.arpa')).toEqual(['REFUSED']);
    expect(at(content, '0.0.10.in-addr.arpa')).toEqual(['REFUSED']);
  });

  it('follows its instance, whatever its health', () => {
    const content = start(putService({ check: 'custom' }), putInstance({ id: 'a', ipv4: '10.0.0.7' }));
    content.change(putInstance({ id: 'a', ipv4: '10.0.0.7', status: 'UNHEALTHY' }));
    expect(at(content)).toEqual(['PTR web.corp.internal.']);
    content.change(putInstance({ id: 'a', ipv4: '10.0.0.8' }));
    expect(at(content)).toEqual(['REFUSED']);
    expect(at(content, '8.0.0.10.in-addr.arpa')).toEqual(['PTR web.corp.internal.']);
    content.change(dropInstance('a'), dropService('srv-1'), dropNamespace('ns-1'));
    expect(at(content, '8.0.0.10.in-addr.arpa')).toEqual(['REFUSED']);
  });

  it('follows its service and its TTL', () => {
    const content = start(putService({ records: 'A 60' }), putInstance({ id: 'a', ipv4: '10.0.0.7' }));
    content.change(putService({ records: 'A 5' }));
    expect(content.dig(SEVEN, 'PTR')).toEqual([`${SEVEN}. 5 IN PTR web.corp.internal.`]);
    content.change(putService({ records: null }));
    expect(at(content)).toEqual(['REFUSED']);
  });

  it('points into the namespace that owns the zone, and moves with it', () => {
    const content = start(putService(), putInstance({ id: 'a', ipv4: '10.0.0.7' }));
    content.change(
      putNamespace({ id: 'ns-2', createdAt: 2 }),
      putService({ id: 'srv-2', namespaceId: 'ns-2', name: 'api' }),
      putInstance({ serviceId: 'srv-2', id: 'a', ipv4: '10.0.0.7' }),
    );
    expect(at(content)).toEqual(['PTR web.corp.internal.']);
    content.change(dropInstance('a'), dropService('srv-1'), dropNamespace('ns-1'));
    expect(at(content)).toEqual(['PTR api.corp.internal.']);
  });

  it('leaves its name to a namespace that has it, and takes it again', () => {
    const content = start(putService(), putInstance({ id: 'a', ipv4: '10.0.0.7' }));
    content.change(putNamespace({ id: 'ns-2', name: SEVEN }));
    expect(content.dig(SEVEN, 'NS')).toEqual([`${SEVEN}. 5 IN NS ns.${SEVEN}.`]);
    content.change(putInstance({ id: 'b', ipv4: '10.0.0.7' }));
    expect(at(content)).toEqual(['NODATA']);
    content.change(dropNamespace('ns-2'));
    expect(at(content)).toEqual(['PTR web.corp.internal.']);
  });

  it('points to all of more than 256 names', () => {
    const instances = Array.from({ length: 300 }, (_, n) => putInstance({ id: `i-${n}`, ipv4: '10.0.0.7', port: 1 }));
    const content = start(putService({ name: '_x._tcp', records: 'SRV 9' }), ...instances);
    expect(content.asker.ask(SEVEN, 'PTR', { overTcp: true }).answer).toHaveLength(300);
    expect(content.asker.ask(SEVEN, 'PTR')).toMatchObject({ tc: true, answer: [] });
  });

  it('has a serial that grows with each change', () => {
    const content = start(putService(), putInstance({ id: 'a', ipv4: '10.0.0.7' }));
    const serial = () => Number(content.dig(SEVEN, 'SOA')[0]?.split(' ')[6]);
    const before = serial();
    content.change(
      putService({ id: 'srv-2', name: 'api' }),
      putInstance({ serviceId: 'srv-2', id: 'a', ipv4: '10.0.0.7' }),
    );
    expect(serial()).toBeGreaterThan(before);
  });
});

it('there are none where nobody asked for them', () => {
  const content = new Content([putNamespace(), putService(), putInstance({ id: 'a', ipv4: '10.0.0.7' })]);
  expect(at(content)).toEqual(['REFUSED']);
});

it('whatever changes, deltas lead where a snapshot would', () => {
  let seed = 5;
  const random = (bound: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % bound;
  };
  const content = start(putService(), putService({ id: 'srv-2', name: 'api', records: 'SRV 9' }));
  let answered = 0;
  for (let step = 0; step < 300; step++) {
    const serviceId = `srv-${1 + random(2)}`;
    const id = `i-${random(4)}`;
    const changes = [
      () => putInstance({ serviceId, id, ipv4: `10.0.0.${random(3)}`, ipv6: `fd00::${random(3)}`, port: 1 }),
      () => dropInstance(id, serviceId),
      () => putService({ records: (['A 60', 'A 30, AAAA 30', null] as const)[random(3)] as string | null }),
    ];
    content.change((changes[random(4) % 3] as () => Change)());
    const all = [...content.state.namespaces(), ...content.state.services()].map(
      (value): Change => ({ kind: 'namespaceId' in value ? 'service' : 'namespace', id: value.id, value }) as Change,
    );
    const instances = [...content.state.services()].flatMap((service) =>
      [...content.state.instancesOf(service.id).values()].map(
        (value): Change => ({ kind: 'instance', serviceId: service.id, id: value.id, value }),
      ),
    );
    const fresh = new Content([...all, ...instances], { hasPtr: true });
    for (let last = 0; last < 3; last++) {
      for (const name of [`${last}.0.0.10.in-addr.arpa`, SIX.replace('7', `${last}`)]) {
        expect(content.dig(name, 'PTR'), `step ${step}`).toEqual(fresh.dig(name, 'PTR'));
        answered += at(content, name)[0]?.startsWith('PTR') === true ? 1 : 0;
      }
    }
  }
  // Else nothing was compared with nothing.
  expect(answered).toBeGreaterThan(300);
});

describe('CLOUDMAPD_DNS_PTR', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ dnsPtr: 'true' });
    const namespace = await api.createNamespace('PrivateDns', { Name: 'corp.internal' });
    const service = await api.createService(namespace, 'web', { DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 60 }] } });
    await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.7' });
  });
  afterAll(() => api.close());

  it('gives a registered address its name at once', async (context) => {
    expect((await dig(api.dnsPort, SEVEN, 'PTR')).answer).toEqual([`${SEVEN}. 60 IN PTR web.corp.internal.`]);
    requireTool(context, 'dig');
    expect(await runDig(api.dnsPort, ['-x', '10.0.0.7', '+short'])).toBe('web.corp.internal.\n');
  });
});
