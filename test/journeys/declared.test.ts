/** Content from the YAML file: the truth for what it declared, at each start; what the API made is not its business. */
import { writeFileSync } from 'node:fs';
import { ListNamespacesCommand, ListServicesCommand } from '@aws-sdk/client-servicediscovery';
import { describe, expect, it } from 'vitest';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();

interface Content {
  readonly ttl?: number;
  readonly instances?: readonly (readonly [string, string])[];
  /** Besides web: a service, or something else in YAML. */
  readonly more?: string;
}

function yamlOf({ ttl = 10, instances = [['web-1', '10.0.0.1']], more = '' }: Content): string {
  const lines = instances.map(
    ([id, address]) => `          - { id: ${id}, attributes: { AWS_INSTANCE_IPV4: ${address} } }\n`,
  );
  return `dnsMaxTtl: 30
namespaces:
  - name: demo.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { routingPolicy: MULTIVALUE, records: [{ type: A, ttl: ${ttl} }] }
        healthCheckCustom: {}
        instances:${lines.length === 0 ? ' []\n' : `\n${lines.join('')}`}${more}`;
}

const MAIL_SERVICE = `      - name: mail
        dns: { records: [{ type: SRV, ttl: 600 }] }
        instances:
          - { id: mail-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.25, AWS_INSTANCE_PORT: "25" } }
`;
const HTTP_NAMESPACE = `  - name: jobs
    type: HTTP
    services:
      - name: worker
        instances:
          - { id: worker-1, attributes: { url: "http://10.0.0.20:9000" } }
`;

async function serviceIds(api: Api): Promise<Record<string, string>> {
  const { Services = [] } = await api.sdk.send(new ListServicesCommand({}));
  return Object.fromEntries(Services.map(({ Name, Id }) => [Name as string, Id as string]));
}

async function addressesOf(port: number, name = 'web.demo.internal'): Promise<string[]> {
  const { answer } = await dig(port, name, 'A');
  return answer.map((record) => record.split(' ').at(-1) as string).sort();
}

describe('the content of the file', () => {
  it('is served by DNS and the API, its settings in force', async () => {
    const CONFIG = journey.writeFile('cloudmapd.yaml', yamlOf({ more: MAIL_SERVICE + HTTP_NAMESPACE }));
    const { endpoint, dnsPort } = await journey.start({ settings: { CONFIG } });
    const api = new Api(endpoint);
    expect(await dig(dnsPort, 'web.demo.internal', 'A')).toMatchObject({
      rcode: 'NOERROR',
      answer: ['web.demo.internal. 10 IN A 10.0.0.1'],
    });
    expect(await dig(dnsPort, 'mail.demo.internal', 'SRV')).toMatchObject({
      answer: ['mail.demo.internal. 30 IN SRV 1 1 25 mail-1.mail.demo.internal.'],
      additional: ['mail-1.mail.demo.internal. 30 IN A 10.0.0.25'],
    });
    expect((await api.discover('jobs', 'worker')).ids).toEqual(['worker-1']);
    // The cap is DNS's alone.
    const { Services = [] } = await api.sdk.send(new ListServicesCommand({}));
    expect(Services.find(({ Name }) => Name === 'mail')?.DnsConfig?.DnsRecords).toEqual([{ Type: 'SRV', TTL: 600 }]);
  });

  it('is set back at the next start also where the API made it anew under its name', async () => {
    const dataDir = journey.newPath();
    const settings = { CONFIG: journey.writeFile('cloudmapd.yaml', yamlOf({})) };
    const first = await journey.start({ dataDir, settings });
    const api = new Api(first.endpoint);
    const { web } = (await serviceIds(api)) as { web: string };
    await api.deregister(web, 'web-1');
    await api.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.99' });
    expect(await addressesOf(first.dnsPort)).toEqual(['10.0.0.99']);
    await first.stop();
    const second = await journey.start({ dataDir, settings });
    expect(await addressesOf(second.dnsPort)).toEqual(['10.0.0.1']);
  });

  it('can be changed through the API until the next start, and the log says so', async () => {
    const dataDir = journey.newPath();
    const instances = [
      ['web-1', '10.0.0.1'],
      ['web-2', '10.0.0.2'],
    ] as const;
    const settings = { CONFIG: journey.writeFile('cloudmapd.yaml', yamlOf({ instances })) };
    const first = await journey.start({ dataDir, settings });
    const before = new Api(first.endpoint);
    const ids = await serviceIds(before);
    const web = ids.web as string;

    await before.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.99' });
    expect(await addressesOf(first.dnsPort)).toEqual(['10.0.0.2', '10.0.0.99']);
    await waitFor('the log line', () => (first.stderr().includes(`instance/${web}/web-1`) ? true : null));
    await before.deregister(web, 'web-2');
    expect(await addressesOf(first.dnsPort)).toEqual(['10.0.0.99']);
    await waitFor('the log line', () => (first.stderr().includes(`instance/${web}/web-2`) ? true : null));
    const logged = first
      .stderr()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string });
    expect(logged).toMatchObject([
      {
        level: 30,
        msg: expect.stringMatching(/web-1 is declared in .*cloudmapd\.yaml and was changed through the API/),
      },
      {
        level: 30,
        msg: expect.stringMatching(/web-2 is declared in .*cloudmapd\.yaml and was removed through the API/),
      },
    ]);
    await first.stop('SIGKILL');

    const second = await journey.start({ dataDir, settings });
    const api = new Api(second.endpoint);
    expect(await serviceIds(api)).toEqual(ids);
    expect(await addressesOf(second.dnsPort)).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(await api.attributesOf(web, 'web-1')).toEqual({ AWS_INSTANCE_IPV4: '10.0.0.1' });
    expect((await api.discover('demo.internal', 'web')).ids).toEqual(['web-1', 'web-2']);
  });

  it('is deleted at the next start where the file no longer has it, changed where it has it otherwise', async () => {
    const dataDir = journey.newPath();
    const instances = [
      ['web-1', '10.0.0.1'],
      ['web-2', '10.0.0.2'],
    ] as const;
    const CONFIG = journey.writeFile('cloudmapd.yaml', yamlOf({ instances, more: MAIL_SERVICE + HTTP_NAMESPACE }));
    const first = await journey.start({ dataDir, settings: { CONFIG } });
    const ids = await serviceIds(new Api(first.endpoint));
    await first.stop('SIGTERM');

    writeFileSync(CONFIG, yamlOf({ ttl: 20, instances: [['web-2', '10.0.0.22']] }));
    const { endpoint, dnsPort } = await journey.start({ dataDir, settings: { CONFIG } });
    const api = new Api(endpoint);
    expect(await dig(dnsPort, 'web.demo.internal', 'A')).toMatchObject({
      answer: ['web.demo.internal. 20 IN A 10.0.0.22'],
    });
    expect(await dig(dnsPort, 'mail.demo.internal', 'SRV')).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(await serviceIds(api)).toEqual({ web: ids.web });
    await expect(api.attributesOf(ids.web as string, 'web-1')).rejects.toMatchObject({ name: 'InstanceNotFound' });
    await expect(api.discover('jobs', 'worker')).rejects.toMatchObject({ name: 'NamespaceNotFound' });
    const { Namespaces = [] } = await api.sdk.send(new ListNamespacesCommand({}));
    expect(Namespaces.map(({ Name }) => Name)).toEqual(['demo.internal']);
  });
});

it('leaves alone what the API made, also inside of what the file declared', async () => {
  const dataDir = journey.newPath();
  const CONFIG = journey.writeFile('cloudmapd.yaml', yamlOf({ more: MAIL_SERVICE }));
  const first = await journey.start({ dataDir, settings: { CONFIG } });
  const before = new Api(first.endpoint);
  const { web, mail } = (await serviceIds(before)) as { web: string; mail: string };
  const { Namespaces = [] } = await before.sdk.send(new ListNamespacesCommand({}));
  await before.register(web, 'web-9', { AWS_INSTANCE_IPV4: '10.0.0.9' });
  await before.setHealth(web, 'web-1', 'UNHEALTHY');
  await before.register(mail, 'mail-9', { AWS_INSTANCE_IPV4: '10.0.0.29', AWS_INSTANCE_PORT: '25' });
  const api1 = await before.createService(Namespaces[0]?.Id as string, 'made');
  await before.register(api1, 'made-1', { AWS_INSTANCE_IPV4: '10.0.1.1' });
  const api2 = await before.createService(await before.createNamespace('api.internal'), 'made');
  await before.register(api2, 'made-1', { AWS_INSTANCE_IPV4: '10.0.2.1' });
  await first.stop('SIGKILL');

  // The file goes on without mail, and the daemon then without the file.
  writeFileSync(CONFIG, yamlOf({}));
  const settings: Record<string, string>[] = [{ CONFIG }, {}];
  for (const [i, setting] of settings.entries()) {
    const { endpoint, dnsPort, stop } = await journey.start({ dataDir, settings: setting });
    const api = new Api(endpoint);
    expect(await addressesOf(dnsPort)).toEqual(['10.0.0.9']);
    expect(await api.instanceIds(web)).toEqual(i === 0 ? ['web-1', 'web-9'] : ['web-9']);
    expect(await api.instanceIds(mail)).toEqual(['mail-9']);
    expect(await addressesOf(dnsPort, 'mail-9.mail.demo.internal')).toEqual(['10.0.0.29']);
    expect(await addressesOf(dnsPort, 'made.demo.internal')).toEqual(['10.0.1.1']);
    expect(await addressesOf(dnsPort, 'made.api.internal')).toEqual(['10.0.2.1']);
    await stop('SIGTERM');
  }
});

it('applies nothing of a file with a mistake', async () => {
  const dataDir = journey.newPath();
  const CONFIG = journey.writeFile('cloudmapd.yaml', yamlOf({}));
  const first = await journey.start({ dataDir, settings: { CONFIG } });
  await first.stop('SIGTERM');

  const broken = yamlOf({
    instances: [['web-2', '10.0.0.2']],
    more: MAIL_SERVICE.replace(', AWS_INSTANCE_PORT: "25"', ''),
  });
  writeFileSync(CONFIG, broken);
  const { code, stderr } = await journey.runToEnd({ dataDir, settings: { CONFIG } });
  expect(code).toBe(2);
  const line = broken.split('\n').findIndex((text) => text.includes('mail-1')) + 1;
  expect(stderr).toMatch(
    new RegExp(
      `^cloudmapd: ${CONFIG}:${line}: namespaces\\[0\\]\\.services\\[1\\]\\.instances\\[0\\]\\.attributes: .+\\n$`,
    ),
  );

  writeFileSync(CONFIG, yamlOf({}));
  const second = await journey.start({ dataDir, settings: { CONFIG } });
  expect(await addressesOf(second.dnsPort)).toEqual(['10.0.0.1']);
  expect(Object.keys(await serviceIds(new Api(second.endpoint)))).toEqual(['web']);
});

it('in a second DNS namespace of one name is not in DNS, and the log says so', async () => {
  const web = `    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        instances: [{ id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.`;
  const yaml = `namespaces:
  - name: twice.internal
    type: DNS_PRIVATE
${web}1 } }]
  - name: twice.internal
    type: DNS_PUBLIC
${web}2 } }]
`;
  const settings = { CONFIG: journey.writeFile('cloudmapd.yaml', yaml) };
  const daemon = await journey.start({ dataDir: journey.newPath(), settings });
  const { answer } = await dig(daemon.dnsPort, 'web.twice.internal', 'A');
  expect(answer).toHaveLength(1);
  await waitFor('the log line', () => (daemon.stderr().includes('which owns the zone') ? true : null));
  // One of the two names is asked for in the lines that are printed.
  expect(daemon.stdout().match(/^dig /gm)).toHaveLength(1);
});
