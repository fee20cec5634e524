/** What DNS clients see of a service: routing policies, SRV, CNAME, truncation, and that the real dig has no complaint. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { askTcp, askUdp, buildQuery, dig, readAnswer } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { requireTool, runDig, shareDaemon } from '../support/journey-tools.ts';

const sharedDaemon = shareDaemon({ settings: { STORE: 'memory' } });
const QUERIES = 300;
const TEN = Array.from({ length: 10 }, (_, i) => `10.0.0.${i + 1}`).sort();

let daemon: RunningDaemon;
let api: Api;
let namespace: string;

beforeEach(async () => {
  daemon = sharedDaemon();
  api = new Api(daemon.endpoint);
  namespace = await api.createNamespace('corp.internal');
});
afterEach(() => api.wipe());

/** The RDATA of each of many answers, in the order in which the records came. */
async function askManyTimes(name: string, type: string): Promise<string[][]> {
  const answers: string[][] = [];
  for (let i = 0; i < QUERIES; i++) {
    const { rcode, tc, answer } = await dig(daemon.dnsPort, name, type);
    expect({ rcode, tc }).toEqual({ rcode: 'NOERROR', tc: false });
    answers.push(answer.map((record) => record.split(' ').slice(4).join(' ')));
  }
  return answers;
}

async function registerTen(serviceId: string): Promise<void> {
  for (const [i, address] of TEN.entries()) await api.register(serviceId, `web-${i}`, { AWS_INSTANCE_IPV4: address });
}

describe('routing policies', () => {
  it('answers eight distinct ones of ten under MULTIVALUE, and each of the ten in time', async () => {
    await registerTen(await api.createService(namespace, 'web'));
    const answers = await askManyTimes('web.corp.internal', 'A');
    for (const answer of answers) {
      expect(answer).toHaveLength(8);
      expect(new Set(answer).size).toBe(8);
    }
    expect([...new Set(answers.flat())].sort()).toEqual(TEN);
    // Different mixes, and in different order.
    expect(new Set(answers.map((answer) => answer.toSorted().join())).size).toBeGreaterThan(10);
    expect([...new Set(answers.map(([first]) => first))].sort()).toEqual(TEN);
  });

  it('answers all of eight under MULTIVALUE', async () => {
    const service = await api.createService(namespace, 'web');
    const eight = TEN.slice(0, 8);
    for (const address of eight) await api.register(service, address, { AWS_INSTANCE_IPV4: address });
    const { answer } = await dig(daemon.dnsPort, 'web.corp.internal', 'A');
    expect(answer.toSorted()).toEqual(eight.map((address) => `web.corp.internal. 60 IN A ${address}`));
  });

  it('answers one under WEIGHTED, and each of the ten in time', async () => {
    await registerTen(await api.createService(namespace, 'web', { policy: 'WEIGHTED' }));
    const answers = await askManyTimes('web.corp.internal', 'A');
    for (const answer of answers) expect(answer).toHaveLength(1);
    expect([...new Set(answers.flat())].sort()).toEqual(TEN);
  });
});

describe('SRV', () => {
  it('answers port and target, with the addresses of the target beside it and at its own name', async () => {
    const service = await api.createService(namespace, '_db._tcp', { records: [['SRV', 30]] });
    await api.register(service, 'db-1', {
      AWS_INSTANCE_IPV4: '10.0.0.9',
      AWS_INSTANCE_IPV6: 'fd00::9',
      AWS_INSTANCE_PORT: '5432',
    });
    const srv = await dig(daemon.dnsPort, '_db._tcp.corp.internal', 'SRV');
    expect(srv).toMatchObject({
      rcode: 'NOERROR',
      aa: true,
      answer: ['_db._tcp.corp.internal. 30 IN SRV 1 1 5432 db-1._db._tcp.corp.internal.'],
      authority: [],
    });
    const addresses = [
      'db-1._db._tcp.corp.internal. 30 IN A 10.0.0.9',
      'db-1._db._tcp.corp.internal. 30 IN AAAA fd00::9',
    ];
    expect(srv.additional.toSorted()).toEqual(addresses);
    expect((await dig(daemon.dnsPort, 'db-1._db._tcp.corp.internal', 'A')).answer).toEqual([addresses[0]]);
    expect((await dig(daemon.dnsPort, 'db-1._db._tcp.corp.internal', 'AAAA')).answer).toEqual([addresses[1]]);
  });

  it('has no A at the service name: NODATA with the SOA, also at the names between', async () => {
    const service = await api.createService(namespace, '_db._tcp', { records: [['SRV', 30]] });
    await api.register(service, 'db-1', { AWS_INSTANCE_IPV4: '10.0.0.9', AWS_INSTANCE_PORT: '5432' });
    const noData = { rcode: 'NOERROR', aa: true, answer: [], additional: [] };
    const soa = [
      expect.stringMatching(/^corp\.internal\. 5 IN SOA ns\.corp\.internal\. hostmaster\.corp\.internal\. /),
    ];
    for (const [name, type] of [
      ['_db._tcp.corp.internal', 'A'],
      ['_db._tcp.corp.internal', 'AAAA'],
      ['db-1._db._tcp.corp.internal', 'AAAA'],
      ['db-1._db._tcp.corp.internal', 'SRV'],
      ['_tcp.corp.internal', 'A'],
    ] as const) {
      expect(await dig(daemon.dnsPort, name, type), `${name} ${type}`).toMatchObject({ ...noData, authority: soa });
    }
    expect(await dig(daemon.dnsPort, 'db-2._db._tcp.corp.internal', 'A')).toMatchObject({
      ...noData,
      rcode: 'NXDOMAIN',
      authority: soa,
    });
  });

  it('brings the address of each of several targets', async () => {
    const service = await api.createService(namespace, 'db', { records: [['SRV', 30]] });
    for (const n of [1, 2, 3]) {
      await api.register(service, `db-${n}`, { AWS_INSTANCE_IPV4: `10.0.0.${n}`, AWS_INSTANCE_PORT: `543${n}` });
    }
    const { answer, additional } = await dig(daemon.dnsPort, 'db.corp.internal', 'SRV', { edns: 1232 });
    expect(answer.toSorted()).toEqual(
      [1, 2, 3].map((n) => `db.corp.internal. 30 IN SRV 1 1 543${n} db-${n}.db.corp.internal.`),
    );
    expect(additional.toSorted()).toEqual([1, 2, 3].map((n) => `db-${n}.db.corp.internal. 30 IN A 10.0.0.${n}`));
  });
});

it('follows a CNAME inside the zone, for every type but CNAME', async () => {
  const web = await api.createService(namespace, 'web', { records: [['A', 10]] });
  await api.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.7' });
  const shop = await api.createService(namespace, 'shop', { records: [['CNAME', 20]], policy: 'WEIGHTED' });
  await api.register(shop, 'shop-1', { AWS_INSTANCE_CNAME: 'web.corp.internal' });
  const outside = await api.createService(namespace, 'cdn', { records: [['CNAME', 20]], policy: 'WEIGHTED' });
  await api.register(outside, 'cdn-1', { AWS_INSTANCE_CNAME: 'cdn.example.com' });

  const alias = 'shop.corp.internal. 20 IN CNAME web.corp.internal.';
  expect(await dig(daemon.dnsPort, 'shop.corp.internal', 'A')).toMatchObject({
    rcode: 'NOERROR',
    answer: [alias, 'web.corp.internal. 10 IN A 10.0.0.7'],
  });
  expect((await dig(daemon.dnsPort, 'shop.corp.internal', 'CNAME')).answer).toEqual([alias]);
  expect(await dig(daemon.dnsPort, 'shop.corp.internal', 'AAAA')).toMatchObject({
    rcode: 'NOERROR',
    answer: [alias],
    authority: [expect.stringMatching(/ SOA /)],
  });
  expect(await dig(daemon.dnsPort, 'cdn.corp.internal', 'A')).toMatchObject({
    rcode: 'NOERROR',
    answer: ['cdn.corp.internal. 20 IN CNAME cdn.example.com.'],
  });
});

describe('transports', () => {
  const LONG = 'x'.repeat(56);
  let targets: string[];

  /** Eight SRV records that take more than 512 octets, and less than 1232. */
  beforeEach(async () => {
    const service = await api.createService(namespace, 'db', { records: [['SRV', 30]] });
    const ids = Array.from({ length: 8 }, (_, i) => `${LONG}-${i}`);
    for (const id of ids) await api.register(service, id, { AWS_INSTANCE_IPV4: '10.0.0.9', AWS_INSTANCE_PORT: '5432' });
    targets = ids.map((id) => `db.corp.internal. 30 IN SRV 1 1 5432 ${id}.db.corp.internal.`);
  });

  it('truncates an answer beyond 512 octets where there is no EDNS, and has the whole over TCP', async () => {
    const query = buildQuery('db.corp.internal', 'SRV');
    const udp = (await askUdp(daemon.dnsPort, query)) as Buffer;
    expect(udp.length).toBeLessThanOrEqual(512);
    expect(readAnswer(udp)).toMatchObject({ rcode: 'NOERROR', tc: true });

    const [tcp] = (await askTcp(daemon.dnsPort, [query])) as [Buffer];
    const whole = readAnswer(tcp);
    expect(whole).toMatchObject({ rcode: 'NOERROR', tc: false });
    expect(whole.answer.toSorted()).toEqual(targets);
    expect(whole.additional).toHaveLength(8);
  });

  it('goes by the size that EDNS offers, up to its own 1232', async () => {
    const small = await dig(daemon.dnsPort, 'db.corp.internal', 'SRV', { edns: 512 });
    expect(small).toMatchObject({ tc: true, hasOpt: true });
    for (const edns of [1232, 4096]) {
      const reply = (await askUdp(daemon.dnsPort, buildQuery('db.corp.internal', 'SRV', { edns }))) as Buffer;
      expect(reply.length).toBeLessThanOrEqual(1232);
      const answer = readAnswer(reply);
      expect(answer).toMatchObject({ tc: false, hasOpt: true });
      expect(answer.answer.toSorted()).toEqual(targets);
    }
  });

  it('answers any number of queries on one connection', async () => {
    const queries = Array.from({ length: 20 }, (_, id) => buildQuery('db.corp.internal', 'SRV', { id }));
    const replies = await askTcp(daemon.dnsPort, queries);
    expect(replies.map((reply) => reply.readUInt16BE(0)).sort((a, b) => a - b)).toEqual(queries.map((_, id) => id));
    for (const reply of replies) expect(readAnswer(reply).answer.toSorted()).toEqual(targets);
  });

  it('echoes the question byte for byte, whatever its case', async () => {
    const query = buildQuery('dB.CoRp.InTeRnAl', 'SRV', { id: 0xbeef, rd: true });
    const replies = [await askUdp(daemon.dnsPort, query), ...(await askTcp(daemon.dnsPort, [query]))] as Buffer[];
    for (const reply of replies) {
      expect(reply.readUInt16BE(0)).toBe(0xbeef);
      expect(reply.subarray(12, query.length)).toEqual(Buffer.from(query.subarray(12)));
      expect(readAnswer(reply)).toMatchObject({ rcode: 'NOERROR', rd: true, ra: false });
    }
  });

  it('gives dig nothing to complain of', async (context) => {
    requireTool(context, 'dig');
    const web = await api.createService(namespace, 'web');
    await api.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.7' });
    const flags = [
      [],
      ['+tcp'],
      ['+bufsize=1232'],
      ['+bufsize=4096'],
      ['+noedns'],
      ['+norec'],
      ['+dnssec'],
      ['+nocookie'],
    ];
    for (const flag of flags) {
      const address = await runDig(daemon.dnsPort, ['web.corp.internal', 'A', ...flag]);
      expect(address).toMatch(/status: NOERROR/);
      expect(address).toMatch(/^web\.corp\.internal\.\s+60\s+IN\s+A\s+10\.0\.0\.7$/m);
      // Where UDP has no room dig asks again over TCP by itself.
      const targetsSeen = await runDig(daemon.dnsPort, ['db.corp.internal', 'SRV', ...flag]);
      expect(targetsSeen.match(/\sIN\s+SRV\s+1 1 5432 /g)).toHaveLength(8);
    }
    for (const [name, type, status] of [
      ['none.corp.internal', 'A', 'NXDOMAIN'],
      ['web.corp.internal', 'AAAA', 'NOERROR'],
      ['web.corp.internal', 'ANY', 'NOERROR'],
      ['corp.internal', 'SOA', 'NOERROR'],
      ['corp.internal', 'NS', 'NOERROR'],
      ['outside.example', 'A', 'REFUSED'],
    ] as const) {
      expect(await runDig(daemon.dnsPort, [name, type]), `${name} ${type}`).toContain(`status: ${status}`);
    }
    expect(await runDig(daemon.dnsPort, ['db.corp.internal', 'SRV', '+noedns', '+ignore'])).toMatch(
      /flags: qr aa tc rd;/,
    );
  });
});
