/** `GET /admin/dns` of a running daemon. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';
import { FakeUpstream, GOOD, NEVER } from '../support/fake-upstream.ts';

let good: FakeUpstream;
let silent: FakeUpstream;
let api: TestApi;
beforeAll(async () => {
  good = await FakeUpstream.open(GOOD);
  silent = await FakeUpstream.open(() => NEVER);
  api = await startApi({
    upstreams: good.endpoint,
    forward: `corp.example=${good.endpoint} ${silent.endpoint},.=${good.endpoint}`,
    singleLabelUpstreams: good.endpoint,
    ownName: 'none',
  });
});
afterAll(async () => {
  await api.close();
  await good.close();
  await silent.close();
});

const get = (query = '') => fetch(`${api.endpoint}/admin/dns${query}`);

it('says where DNS is answered, for which namespaces, and whom is asked for what', async () => {
  await api.createNamespace('PrivateDns', { Name: 'Shop.internal' });
  await api.createNamespace('PublicDns', { Name: 'shop.internal' });
  await api.createNamespace('Http', { Name: 'jobs' });
  const upstream = { address: good.endpoint, state: 'asked' };
  expect(await (await get()).json()).toEqual({
    listeners: [`127.0.0.1:${api.dnsPort}`],
    skipped: [],
    sockets: expect.stringMatching(/^(batched|plain)$/),
    threads: 1,
    zones: ['shop.internal'],
    ownName: null,
    forwards: 'listed',
    upstreams: [
      { setting: 'CLOUDMAPD_UPSTREAMS', names: 'all', ...upstream },
      { setting: 'CLOUDMAPD_SINGLE_LABEL_UPSTREAMS', names: 'single-label', ...upstream },
      { setting: 'CLOUDMAPD_FORWARD', names: { suffix: 'corp.example' }, ...upstream },
      { setting: 'CLOUDMAPD_FORWARD', names: { suffix: 'corp.example' }, ...upstream, address: silent.endpoint },
      { setting: 'CLOUDMAPD_FORWARD', names: { suffix: '' }, ...upstream },
    ],
  });
});

it('asks each of them for what it is there for, where that is wanted', async () => {
  good.seen.length = 0;
  const { upstreams } = (await (await get('?trial=true')).json()) as { upstreams: object[] };
  const answered = { rcode: 'NOERROR', ms: expect.any(Number) };
  const unanswered = { problem: 'no reply within 2 s' };
  expect(upstreams).toMatchObject([
    { udp: answered, tcp: answered },
    { udp: answered, tcp: answered },
    { udp: answered, tcp: answered },
    { udp: unanswered, tcp: unanswered },
    { udp: answered, tcp: answered },
  ]);
  expect(good.timesAsked('corp.example', 'SOA')).toBe(2);
  expect(good.timesAsked('', 'NS')).toBe(6);
});

it('refuses what it does not know', async () => {
  for (const query of ['?trial=yes', '?trials=true']) {
    const response = await get(query);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringContaining('trial') });
  }
});
