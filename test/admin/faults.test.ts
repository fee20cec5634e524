import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListNamespacesCommand } from '@aws-sdk/client-servicediscovery';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadConfiguration } from '../../src/config.ts';
import { startDaemon } from '../../src/daemon.ts';
import { createLog } from '../../src/log.ts';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../support/daemon.ts';
import { askTcp, askUdp, buildQuery, dig, extendedErrorOf, readAnswer } from '../support/dns.ts';
import { FakeUpstream, GOOD } from '../support/fake-upstream.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';
import { framed, TcpClient } from '../support/tcp-client.ts';

const CONTENT = `
namespaces:
  - name: shop.internal
    type: DNS_PRIVATE
    vpc: vpc-1
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        instances: [{ id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }]
`;
const WEB = 'web.shop.internal';
const EDE = 'a fault is injected here (/admin/faults)';
const journey = setUpJourney();

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function ask(daemon: RunningDaemon, method: string, path = '', body?: unknown): Promise<Reply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const init = { method, ...(body === undefined ? {} : { body: text }) };
  const response = await fetch(`${daemon.endpoint}/admin/faults${path}`, init);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function inject(daemon: RunningDaemon, fault: object): Promise<string> {
  const { status, body } = await ask(daemon, 'POST', '', fault);
  expect({ status, body }).toMatchObject({ status: 200, body: { id: expect.any(String) } });
  return body.id as string;
}

describe('/admin/faults', () => {
  it('is closed unless the setting opens it', async () => {
    const daemon = await journey.start({ settings: { STORE: 'memory' } });
    const off = { status: 403, body: { error: expect.stringContaining('CLOUDMAPD_FAULTS') } };
    expect(await ask(daemon, 'GET')).toEqual(off);
    expect(await ask(daemon, 'POST', '', { api: { operation: '*', fault: 'fail' } })).toEqual(off);
    expect(await ask(daemon, 'DELETE')).toEqual(off);
    expect(await ask(daemon, 'DELETE', '/fault-1')).toEqual(off);
    await new Api(daemon.endpoint).sdk.send(new ListNamespacesCommand({}));
    // A reset has none to end.
    expect((await fetch(`${daemon.endpoint}/admin/reset`, { method: 'POST' })).status).toBe(200);
  });
});

describe.each(['batched', 'plain'])('with %s sockets', (sockets) => {
  const folder = makeFolder();
  let upstream: FakeUpstream;
  let daemon: RunningDaemon;
  beforeAll(async () => {
    upstream = await FakeUpstream.open(GOOD);
    const config = join(folder.path, 'shop.yaml');
    writeFileSync(config, CONTENT);
    const settings = { STORE: 'memory', FAULTS: 'true', CONFIG: config, UPSTREAMS: upstream.endpoint };
    daemon = await startTestDaemon({
      dataDir: folder.path,
      settings: { ...settings, DNS_SOCKETS: sockets === 'plain' ? 'plain' : 'auto' },
    });
  });
  afterEach(async () => {
    expect((await fetch(`${daemon.endpoint}/admin/reset`, { method: 'POST' })).status).toBe(200);
  });
  afterAll(async () => {
    await daemon?.stop('SIGKILL');
    await upstream?.close();
    folder.remove();
  });

  const overTcp = async (name: string) =>
    readAnswer((await askTcp(daemon.dnsPort, [buildQuery(name, 'A', { rd: true })]))[0] as Buffer);
  const lost = async (name: string, type = 'A') =>
    (await askUdp(daemon.dnsPort, buildQuery(name, type), { timeoutMs: 100 })) === null;

  it('DNS fails, is cut, and is lost, by name and type, and as ever when that has ended', async () => {
    const failing = await inject(daemon, { dns: { name: WEB, type: 'A', fault: 'servfail' } });
    const reply = (await askUdp(daemon.dnsPort, buildQuery(WEB, 'A', { edns: 1232 }))) as Buffer;
    expect(readAnswer(reply)).toMatchObject({ rcode: 'SERVFAIL', answer: [], authority: [] });
    expect(extendedErrorOf(reply)).toEqual({ code: 0, text: EDE });
    expect((await overTcp(WEB)).rcode).toBe('SERVFAIL');
    expect((await dig(daemon.dnsPort, WEB, 'AAAA')).rcode).toBe('NOERROR');
    expect((await dig(daemon.dnsPort, 'shop.internal', 'A')).rcode).toBe('NOERROR');
    expect(await ask(daemon, 'DELETE', `/${failing}`)).toEqual({ status: 200, body: { cleared: 1 } });
    expect((await dig(daemon.dnsPort, WEB, 'A')).answer).toHaveLength(1);

    await inject(daemon, { dns: { name: 'shop.internal', below: true, fault: 'truncate' } });
    expect(await dig(daemon.dnsPort, WEB, 'A')).toMatchObject({ rcode: 'NOERROR', tc: true, answer: [] });
    expect(await overTcp(WEB)).toMatchObject({ tc: false, answer: [`${WEB}. 10 IN A 10.0.0.1`] });

    await inject(daemon, { dns: { name: 'shop.internal', below: true, type: 'SOA', fault: 'drop' } });
    expect(await lost('shop.internal', 'SOA')).toBe(true);
    // Over TCP the connection stands, and what comes behind the lost query is answered.
    const queries = [buildQuery('shop.internal', 'SOA', { id: 1 }), buildQuery(WEB, 'A', { id: 2 })];
    const client = await TcpClient.open(daemon.dnsPort);
    await client.send(framed(...queries));
    expect((await client.take(1))[0]?.readUInt16BE(0)).toBe(2);
    client.socket.destroy();
    expect(await ask(daemon, 'DELETE')).toEqual({ status: 200, body: { cleared: 2 } });
    expect((await dig(daemon.dnsPort, 'shop.internal', 'SOA')).rcode).toBe('NOERROR');
  });

  it('DNS is slow: who asks for other names does not wait, over either transport', async () => {
    await inject(daemon, { dns: { name: WEB, fault: 'delay', delayMs: 1500 } });
    const order: string[] = [];
    const noting = async <T>(name: string, answer: Promise<T>): Promise<T> => {
      const value = await answer;
      order.push(name);
      return value;
    };
    const slow = [noting('udp', dig(daemon.dnsPort, WEB, 'A')), noting('tcp', overTcp(WEB))];
    for (let i = 0; i < 5; i++) await noting('other', dig(daemon.dnsPort, 'shop.internal', 'SOA'));
    for (const { rcode, answer } of await Promise.all(slow)) {
      expect({ rcode, answer }).toEqual({ rcode: 'NOERROR', answer: [`${WEB}. 10 IN A 10.0.0.1`] });
    }
    expect(order.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 'other'));
    // And then it fails.
    await inject(daemon, { dns: { name: WEB, fault: 'servfail' } });
    expect((await dig(daemon.dnsPort, WEB, 'A')).rcode).toBe('SERVFAIL');
    expect((await overTcp(WEB)).rcode).toBe('SERVFAIL');
  });

  it('names outside fail and are slow too, whether upstreams have to be asked or not', async () => {
    const name = 'www.example.com';
    await inject(daemon, { dns: { name: 'example.com', below: true, fault: 'delay', delayMs: 20 } });
    for (let round = 0; round < 2; round++) {
      expect(await dig(daemon.dnsPort, name, 'A', { rd: true })).toMatchObject({ rcode: 'NOERROR', ra: true });
    }
    expect(upstream.timesAsked(name)).toBe(1);
    expect((await overTcp(name)).answer).toHaveLength(1);
    await inject(daemon, { dns: { name, fault: 'servfail' } });
    expect((await dig(daemon.dnsPort, name, 'A', { rd: true })).rcode).toBe('SERVFAIL');
    await ask(daemon, 'DELETE');
    expect((await dig(daemon.dnsPort, name, 'A', { rd: true })).rcode).toBe('NOERROR');
    expect(upstream.timesAsked(name)).toBe(1);
  });

  it('is slow to more than may wait at once: the others are told', async () => {
    await inject(daemon, { dns: { name: WEB, fault: 'delay', delayMs: 3000 } });
    const replies = await Promise.all(
      Array.from({ length: 17 }, (_, c) =>
        askTcp(
          daemon.dnsPort,
          Array.from({ length: 64 }, (_, n) => buildQuery(WEB, 'A', { id: c * 64 + n + 1 })),
        ),
      ),
    );
    const rcodes = replies.flat().map((reply) => readAnswer(reply).rcode);
    expect(rcodes.filter((rcode) => rcode === 'NOERROR')).toHaveLength(1000);
    expect(rcodes.filter((rcode) => rcode === 'SERVFAIL')).toHaveLength(17 * 64 - 1000);
  });

  it('what a delay holds up goes on when the delay is taken away, over DNS and the API', async () => {
    await inject(daemon, { dns: { name: WEB, fault: 'delay', delayMs: 50_000 } });
    await inject(daemon, { dns: { name: WEB, fault: 'servfail' } });
    const held = askUdp(daemon.dnsPort, buildQuery(WEB, 'A'), { timeoutMs: 50_000 });
    // In order, behind it, on the same sockets.
    expect((await dig(daemon.dnsPort, 'shop.internal', 'SOA')).rcode).toBe('NOERROR');
    expect(await ask(daemon, 'DELETE')).toMatchObject({ body: { cleared: 2 } });
    expect(readAnswer((await held) as Buffer).rcode).toBe('NOERROR');

    const ids = [
      await inject(daemon, { api: { operation: 'ListNamespaces', fault: 'delay', delayMs: 50_000 } }),
      await inject(daemon, { api: { operation: '*', fault: 'delay', delayMs: 40_000 } }),
    ];
    const call = new Api(daemon.endpoint).sdk.send(new ListNamespacesCommand({}));
    let isAnswered = false;
    void call.then(() => {
      isAnswered = true;
    });
    expect(await ask(daemon, 'DELETE', `/${ids[0]}`)).toMatchObject({ body: { cleared: 1 } });
    await ask(daemon, 'GET');
    expect(isAnswered).toBe(false);
    await ask(daemon, 'DELETE', `/${ids[1]}`);
    expect((await call).Namespaces).toHaveLength(1);
  });

  it('faults end by themselves, and with a reset', async () => {
    await inject(daemon, { dns: { name: WEB, fault: 'servfail' }, forSeconds: 0.3 });
    const { body } = await ask(daemon, 'GET');
    const [fault] = body.faults as { until: string }[];
    expect(fault).toEqual({
      id: expect.any(String),
      dns: { name: WEB, type: null, below: false, fault: 'servfail', delayMs: 0, percent: 100 },
      until: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
    await waitFor('the end', async () => ((await dig(daemon.dnsPort, WEB, 'A')).rcode === 'NOERROR' ? true : null));
    expect(Date.parse(fault?.until as string)).toBeLessThanOrEqual(Date.now());
    expect((await ask(daemon, 'GET')).body).toEqual({ faults: [] });
    await inject(daemon, { dns: { name: WEB, fault: 'servfail' } });
    await inject(daemon, { api: { operation: '*', fault: 'fail' } });
    expect((await fetch(`${daemon.endpoint}/admin/reset`, { method: 'POST' })).status).toBe(200);
    expect((await dig(daemon.dnsPort, WEB, 'A')).rcode).toBe('NOERROR');
    expect((await new Api(daemon.endpoint).discover('shop.internal', 'web')).ids).toEqual(['web-1']);
  });

  it('wrong ones are refused, with what is wrong; unknown ones are not found', async () => {
    expect(await ask(daemon, 'POST', '', 'servfail')).toMatchObject({ status: 400, body: { error: /^fault: / } });
    expect(await ask(daemon, 'POST')).toMatchObject({ status: 400 });
    const { status, body } = await ask(daemon, 'POST', '', { api: { operation: 'Nothing', fault: 'fail' } });
    expect({ status, body }).toEqual({
      status: 400,
      body: { error: 'api.operation: "Nothing" is no operation of the API' },
    });
    expect(await ask(daemon, 'DELETE', '/fault-9')).toEqual({
      status: 404,
      body: { error: 'no fault "fault-9" is in force' },
    });
  });
});

describe('calls of the API', () => {
  it('are throttled, fail or wait, by operation', async () => {
    const daemon = await journey.start({ settings: { STORE: 'memory', FAULTS: 'true' } });
    const api = new Api(daemon.endpoint);
    const id = await api.createNamespace('shop.internal');
    const service = await api.createService(id, 'web');
    const register = (name: string) => api.register(service, name, { AWS_INSTANCE_IPV4: '10.0.0.1' });
    const refusal = async (call: Promise<unknown>) => {
      const error = await call.then(
        () => null,
        (reason) => reason,
      );
      return [error?.name, error?.$metadata.httpStatusCode, error?.message];
    };
    const message = expect.stringContaining('/admin/faults');
    await inject(daemon, { api: { operation: 'RegisterInstance', fault: 'throttle' } });
    expect(await refusal(register('a'))).toEqual(['RequestLimitExceeded', 400, message]);
    expect(await api.instanceIds(service)).toEqual([]);
    await inject(daemon, { api: { operation: '*', fault: 'fail' } });
    expect(await refusal(register('a'))).toEqual(['InternalFailure', 500, message]);
    expect(await refusal(api.instanceIds(service))).toEqual(['InternalFailure', 500, message]);
    await ask(daemon, 'DELETE');
    expect(await api.instanceIds(service)).toEqual([]);

    // What waits is carried out: here a reset lets it go on, and undoes it.
    await inject(daemon, { api: { operation: 'RegisterInstance', fault: 'delay', delayMs: 60_000 } });
    let isAnswered = false;
    const waiting = register('b').finally(() => {
      isAnswered = true;
    });
    for (let i = 0; i < 10; i++) expect(await api.instanceIds(service)).toEqual([]);
    expect(isAnswered).toBe(false);
    expect((await fetch(`${daemon.endpoint}/admin/reset`, { method: 'POST' })).status).toBe(200);
    await waiting;
    const exported = await fetch(`${daemon.endpoint}/admin/export?format=json`);
    expect(await exported.json()).toMatchObject({ namespaces: [], instances: [] });
  });
});

describe('an answering thread that replaces a lost one', () => {
  it('is told of the faults too', async () => {
    // In this process: the thread has to be within reach.
    const config = journey.writeFile('shop.yaml', CONTENT);
    const flags = { config, http: '127.0.0.1:0', dns: '127.0.0.1:0', store: 'memory', faults: 'true' };
    const daemon = await startDaemon(loadConfiguration(flags, {}), createLog('error', null));
    try {
      const port = Number(daemon.dns[0]?.split(':').at(-1));
      await daemon.faults.add({ dns: { name: WEB, fault: 'truncate' } });
      const [lost] = daemon.publisher.threads;
      await lost?.terminate();
      const reply = await waitFor('a reply', () => askUdp(port, buildQuery(WEB, 'A'), { timeoutMs: 300 }));
      expect(daemon.publisher.threads).not.toContain(lost);
      expect(readAnswer(reply)).toMatchObject({ tc: true });
    } finally {
      await daemon.close();
    }
  });
});
