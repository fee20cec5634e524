import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerExport } from '../../src/admin/export.ts';
import { registerImport } from '../../src/admin/import.ts';
import { listenHttp } from '../../src/api/listen.ts';
import { createApp } from '../../src/api/server.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { dig } from '../support/dns.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi({ store: 'memory' });
  const namespace = await api.createNamespace('PrivateDns', { Name: 'corp.test' });
  const service = await api.createService(namespace, 'web', { DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 60 }] } });
  await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1' });
});
afterAll(() => api?.close());

const get = (path: string) => fetch(`${api.endpoint}${path}`);

async function post(body: string | ReadableStream, query = ''): Promise<[number, Record<string, unknown>]> {
  const response = await fetch(`${api.endpoint}/admin/import${query}`, {
    method: 'POST',
    body,
    duplex: 'half',
  } as RequestInit);
  return [response.status, (await response.json()) as Record<string, unknown>];
}

const declared = (address: string, extra: object = {}): string =>
  JSON.stringify({
    namespaces: [
      {
        name: 'corp.test',
        type: 'DNS_PRIVATE',
        vpc: 'vpc-1',
        services: [
          {
            name: 'web',
            dns: { records: [{ type: 'A', ttl: 60 }] },
            instances: [{ id: 'web-1', attributes: { AWS_INSTANCE_IPV4: address } }],
            ...extra,
          },
        ],
      },
    ],
  });

describe('GET /admin/export', () => {
  it('is YAML unless JSON is asked for', async () => {
    const [yaml, same, json] = await Promise.all(
      ['', '?format=yaml', '?format=json'].map((query) => get(`/admin/export${query}`)),
    );
    expect([yaml, same, json].map((response) => response?.headers.get('content-type'))).toEqual([
      'application/yaml; charset=utf-8',
      'application/yaml; charset=utf-8',
      'application/json; charset=utf-8',
    ]);
    const text = await yaml?.text();
    expect(text).toContain('AWS_INSTANCE_IPV4: 10.0.0.1');
    expect(await same?.text()).toBe(text);
    expect(await json?.json()).toMatchObject({
      cloudmapd: 1,
      region: 'us-east-1',
      namespaces: [{ name: 'corp.test' }],
    });
  });

  it.each(['?format=xml', '?formats=yaml'])('refuses %s', async (query) => {
    const response = await get(`/admin/export${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringMatching(/^(format|the query): /) });
  });

  it('is of the moment of the request, whatever is written while it is read', async () => {
    const world = await startApi({ store: 'memory', quotaInstancesPerService: '0', quotaInstancesPerNamespace: '0' });
    try {
      const instances = Array.from({ length: 20_000 }, (_, i) => ({
        id: `web-${i}`,
        attributes: { AWS_INSTANCE_IPV4: '10.0.0.1' },
      }));
      const body = declared('10.0.0.1', { instances });
      expect((await fetch(`${world.endpoint}/admin/import`, { method: 'POST', body })).status).toBe(200);
      const [service] = [...world.daemon.registry.state.services()];
      const whole = await (await fetch(`${world.endpoint}/admin/export?format=json`)).text();
      const pieces: string[] = [];
      await new Promise<void>((resolve, reject) => {
        request(`${world.endpoint}/admin/export?format=json`, (response) => {
          response.setEncoding('utf8');
          response.once('data', (piece) => {
            pieces.push(piece);
            response.pause();
            // The first, the last and one in between.
            const changes = ['web-0', 'web-15000', 'web-9999'].map((id) =>
              world.register(service?.id as string, id, { AWS_INSTANCE_IPV4: '10.0.0.2' }),
            );
            void Promise.all(changes).then(() => {
              response.on('data', (more) => pieces.push(more));
              response.resume();
            });
          });
          response.once('end', resolve);
          response.once('error', reject);
        }).end();
      });
      expect(pieces.join('') === whole).toBe(true);
    } finally {
      await world.close();
    }
  });
});

describe('while the state is loaded', () => {
  it('neither is there', async () => {
    const app = createApp();
    registerExport(app, () => null);
    registerImport(app, () => null, null, AbortSignal.any([]));
    const listeners = await listenHttp(app, [{ address: '127.0.0.1', port: 0 }]);
    try {
      const base = `http://127.0.0.1:${listeners.addresses[0]?.port}/admin`;
      const replies = [
        await fetch(`${base}/export`),
        await fetch(`${base}/import`, { method: 'POST', body: '{"namespaces":[]}' }),
      ];
      for (const reply of replies) {
        expect([reply.status, await reply.json()]).toEqual([503, { error: 'the state is being loaded' }]);
      }
    } finally {
      await listeners.close(0);
    }
  });
});

describe('POST /admin/import', () => {
  it('says what a dry run would do, does it, and has nothing to do then', async () => {
    const change = {
      created: { namespaces: 0, services: 0, instances: 0 },
      changed: { namespaces: 0, services: 0, instances: 1 },
      unchanged: { namespaces: 1, services: 1, instances: 0 },
      differences: [
        {
          action: 'change',
          kind: 'instance',
          name: 'corp.test/web/web-1',
          id: 'web-1',
          members: ['attributes.AWS_INSTANCE_IPV4: 10.0.0.1 -> 10.0.0.2'],
        },
      ],
    };
    expect(await post(declared('10.0.0.2'), '?dryRun=true')).toEqual([200, { dryRun: true, ...change }]);
    expect((await dig(api.dnsPort, 'web.corp.test', 'A')).answer).toEqual(['web.corp.test. 60 IN A 10.0.0.1']);
    expect(await post(declared('10.0.0.2'), '?dryRun=false')).toEqual([200, { dryRun: false, ...change }]);
    expect((await dig(api.dnsPort, 'web.corp.test', 'A')).answer).toEqual(['web.corp.test. 60 IN A 10.0.0.2']);
    expect((await post(declared('10.0.0.2')))[1]).toMatchObject({ differences: [] });
    await post(declared('10.0.0.1'));
  });

  it.each<[string, string, string, unknown[] | undefined, RegExp]>([
    [
      'a shape',
      '',
      declared('10.0.0.1', { dns: { records: [] } }),
      ['namespaces', 0, 'services', 0, 'dns', 'records'],
      /^namespaces\[0\]\.services\[0\]\.dns\.records: /,
    ],
    ['an unknown key', '', '{"namespaces":[],"records":[]}', ['records'], /^records: is not a known key$/],
    [
      'a rule of the API',
      '',
      declared('10'),
      ['namespaces', 0, 'services', 0, 'instances', 0, 'attributes'],
      /is not an IPv4 address/,
    ],
    ['JSON', '', '{"namespaces":', undefined, /is no JSON/],
    ['the query', '?dryRun=yes', '{"namespaces":[]}', undefined, /^dryRun: /],
    ['the name of the query', '?dryrun=true', '{"namespaces":[]}', undefined, /^the query: /],
  ])('tells of a mistake in %s where it is, and changes nothing', async (_, query, body, path, message) => {
    const before = await (await get('/admin/export?format=json')).text();
    const [status, answer] = await post(body, query);
    expect(status).toBe(400);
    expect(answer.error).toMatch(message);
    expect(answer.path).toEqual(path);
    expect(await (await get('/admin/export?format=json')).text()).toBe(before);
  });

  it('answers a mistake at the beginning of a long body, and goes on serving the connection', async () => {
    const body = `{"cloudmapd":1,"namespaces":[{"id":5}],"x":"${'x'.repeat(30_000_000)}"}`;
    for (let i = 0; i < 3; i++) {
      const [status, answer] = await post(body);
      expect([status, answer.path]).toEqual([400, ['namespaces', 0, 'id']]);
    }
  });

  it('takes one document at a time', async () => {
    let sendRest = (): void => {};
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('{"cloudmapd":1,'));
        sendRest = () => {
          controller.enqueue(Buffer.from('"namespaces":[]}'));
          controller.close();
        };
      },
    });
    const first = post(body);
    // Refused as soon as the first one is being read, which begins when its head comes.
    for (;;) {
      const [status, answer] = await post('{"cloudmapd":1}', '?dryRun=true');
      if (status === 200) continue;
      expect([status, answer]).toEqual([409, { error: 'another import is under way: wait for its end' }]);
      break;
    }
    sendRest();
    expect((await first)[0]).toBe(200);
    expect((await post('{"cloudmapd":1}'))[0]).toBe(200);
  });

  it('changes nothing, and takes the next one, where a client goes away in the midst of it', async () => {
    const before = await (await get('/admin/export?format=json')).text();
    await new Promise<void>((resolve) => {
      const sent = request(`${api.endpoint}/admin/import`, { method: 'POST' });
      sent.once('error', () => resolve());
      sent.write('{"cloudmapd":1,"namespaces":[', () => sent.destroy(new Error('gone')));
    });
    for (;;) {
      const [status] = await post('{"cloudmapd":1}');
      if (status === 200) break;
      expect(status).toBe(409);
    }
    expect(await (await get('/admin/export?format=json')).text()).toBe(before);
  });

  it('is no page for another site', async () => {
    const headers = { origin: 'http://other.example' };
    const response = await fetch(`${api.endpoint}/admin/import`, {
      method: 'POST',
      body: '{"namespaces":[]}',
      headers,
    });
    expect(response.status).toBe(403);
  });

  it('lets the oldest namespace of a name own the zone, whenever it comes', async () => {
    const older = {
      cloudmapd: 1,
      namespaces: [{ id: 'ns-older', name: 'Corp.test', httpName: 'older', type: 'DNS_PUBLIC', createdAt: 1 }],
      services: [
        {
          id: 'srv-older',
          namespaceId: 'ns-older',
          name: 'web',
          dns: { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: 7 }] },
        },
      ],
      instances: [{ serviceId: 'srv-older', id: 'web-1', attributes: { AWS_INSTANCE_IPV4: '10.9.9.9' } }],
    };
    const serial = async (): Promise<number> =>
      Number((await dig(api.dnsPort, 'corp.test', 'SOA')).answer[0]?.split(' ')[6]);
    const before = await serial();
    expect((await post(JSON.stringify(older)))[0]).toBe(200);
    expect((await dig(api.dnsPort, 'web.corp.test', 'A')).answer).toEqual([
      expect.stringMatching(/ 7 IN A 10\.9\.9\.9$/),
    ]);
    expect(await serial()).toBeGreaterThan(before);
  });
});
