/** The configuration file while the daemon runs: edited, or asked for by SIGHUP. */
import { renameSync, truncateSync, writeFileSync } from 'node:fs';
import { ListNamespacesCommand, ListServicesCommand } from '@aws-sdk/client-servicediscovery';
import { describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';
import { errorsOf, failBy, hangUp, LEVEL, logOf, reloadBy, reloadsOf } from '../support/reloading.ts';

const journey = setUpJourney();

const HEAD = `namespaces:
  - name: shop.internal
    type: DNS_PRIVATE
    services:
`;
function service(name: string, instances: Readonly<Record<string, string>>, rest = '', ttl = 10): string {
  const list = Object.entries(instances).map(
    ([id, address]) => `          - { id: ${id}, attributes: { AWS_INSTANCE_IPV4: ${address} } }\n`,
  );
  return `      - name: ${name}
        dns: { records: [{ type: A, ttl: ${ttl} }] }
${rest}        instances:
${list.join('')}`;
}
const WEB = service('web', { 'web-1': '10.0.0.1', 'web-2': '10.0.0.2' });
const MAIL = service('mail', { 'mail-1': '10.0.0.25' });
const JOBS = 'namespaces: [{ name: jobs, type: HTTP, services: [{ name: worker }] }]\n';
const EC2 = 'ec2Instances: { i-1: 10.1.1.1 }\n';

async function start(text: string, settings: Record<string, string> = {}) {
  const file = journey.writeFile('content.yaml', text);
  const daemon = await journey.start({ settings: { CONFIG: file, ...settings } });
  return { file, daemon, api: new Api(daemon.endpoint) };
}

async function addressesOf({ dnsPort }: RunningDaemon, name: string): Promise<string[]> {
  const { answer } = await dig(dnsPort, name, 'A');
  return answer.map((record) => record.split(' ').at(-1) as string).sort();
}

async function idsOf(api: Api): Promise<Record<string, string>> {
  const { Services = [] } = await api.sdk.send(new ListServicesCommand({}));
  return Object.fromEntries(Services.map(({ Name, Id }) => [Name as string, Id as string]));
}

describe('a file that is edited', () => {
  it('is followed by DNS and the API, which keep what it still has, before the log says so', async () => {
    const { file, daemon, api } = await start(HEAD + WEB + MAIL);
    const before = await idsOf(api);
    const zoneBefore = await dig(daemon.dnsPort, 'shop.internal', 'SOA');

    const edited = HEAD + service('web', { 'web-1': '10.0.0.11', 'web-3': '10.0.0.3' }, '', 20) + service('db', {});
    // web and web-1; web-3 and db; web-2, mail and mail-1.
    expect(await reloadBy(daemon, () => writeFileSync(file, edited))).toBe('2 created, 2 changed, 3 removed');
    expect((await dig(daemon.dnsPort, 'web.shop.internal', 'A')).answer.sort()).toEqual([
      'web.shop.internal. 20 IN A 10.0.0.11',
      'web.shop.internal. 20 IN A 10.0.0.3',
    ]);
    expect((await dig(daemon.dnsPort, 'mail.shop.internal', 'A')).rcode).toBe('NXDOMAIN');
    const after = await idsOf(api);
    expect(Object.keys(after).sort()).toEqual(['db', 'web']);
    expect(after.web).toBe(before.web);
    expect(await api.attributesOf(after.web as string, 'web-1')).toEqual({ AWS_INSTANCE_IPV4: '10.0.0.11' });
    const serialOf = ({ answer }: { answer: string[] }) => Number(answer[0]?.split(' ')[6]);
    expect(serialOf(await dig(daemon.dnsPort, 'shop.internal', 'SOA'))).toBeGreaterThan(serialOf(zoneBefore));

    expect(await reloadBy(daemon, () => writeFileSync(file, HEAD + WEB + MAIL))).toBe(
      '3 created, 2 changed, 2 removed',
    );
    expect(await addressesOf(daemon, 'web.shop.internal')).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(await addressesOf(daemon, 'mail.shop.internal')).toEqual(['10.0.0.25']);
    // The file's own changes are no calls of anybody.
    expect(logOf(daemon).filter(({ msg }) => !msg.includes('was read again'))).toEqual([]);
  });

  it('is followed where another one takes its place, and where it is really emptied', async () => {
    const { file, daemon, api } = await start(HEAD + WEB);
    const next = journey.writeFile('next.yaml', HEAD + WEB + MAIL);
    expect(await reloadBy(daemon, () => renameSync(next, file))).toBe('2 created');
    expect(await reloadBy(daemon, () => truncateSync(file))).toBe('6 removed');
    expect(await idsOf(api)).toEqual({});
    expect((await dig(daemon.dnsPort, 'web.shop.internal', 'A')).rcode).toBe('REFUSED');
  });

  it("takes away nothing that the API made, and what it no longer has is nobody else's but the API's", async () => {
    const { file, daemon, api } = await start(HEAD + WEB + MAIL);
    const { web, mail } = (await idsOf(api)) as { web: string; mail: string };
    await api.register(web, 'own', { AWS_INSTANCE_IPV4: '10.0.9.1' });
    await api.register(mail, 'own', { AWS_INSTANCE_IPV4: '10.0.9.2' });
    const own = await api.createService(await api.createNamespace('own.internal'), 'web');
    await api.register(own, 'own', { AWS_INSTANCE_IPV4: '10.0.9.3' });

    // The service stays for what the API has put into it.
    expect(await reloadBy(daemon, () => writeFileSync(file, HEAD + WEB))).toBe('1 removed');
    expect(await addressesOf(daemon, 'mail.shop.internal')).toEqual(['10.0.9.2']);
    // Under a name that the file does not have any more.
    await api.register(mail, 'mail-1', { AWS_INSTANCE_IPV4: '10.0.9.25' });
    expect(await hangUp(daemon)).toBe('nothing changed');
    expect(await addressesOf(daemon, 'web.shop.internal')).toEqual(['10.0.0.1', '10.0.0.2', '10.0.9.1']);
    expect(await addressesOf(daemon, 'mail.shop.internal')).toEqual(['10.0.9.2', '10.0.9.25']);
    expect(await addressesOf(daemon, 'web.own.internal')).toEqual(['10.0.9.3']);
    expect(logOf(daemon).filter(({ msg }) => msg.includes('through the API'))).toEqual([]);
  });

  it('has new EC2 addresses, which calls of the API get too', async () => {
    const { file, daemon, api } = await start(JOBS);
    const { worker } = (await idsOf(api)) as { worker: string };
    const register = () => api.register(worker, 'one', { AWS_EC2_INSTANCE_ID: 'i-1' });
    await expect(register()).rejects.toMatchObject({ message: expect.stringContaining('"i-1" is not known') });
    expect(await reloadBy(daemon, () => writeFileSync(file, EC2 + JOBS))).toBe('1 created');
    await register();
    expect(await api.attributesOf(worker, 'one')).toMatchObject({ AWS_INSTANCE_IPV4: '10.1.1.1' });
  });

  it('has its settings wait for the next start, and the log names them; its content does not wait', async () => {
    const { file, daemon } = await start(`dnsMaxTtl: 5\nsoaTtl: 7\n${HEAD}${WEB}`);
    const edited = `dnsMaxTtl: 8\nsoaTtl: 7\nquotaNamespaces: 9\n${HEAD}${WEB}${MAIL}`;
    expect(await reloadBy(daemon, () => writeFileSync(file, edited))).toBe('2 created');
    expect((await dig(daemon.dnsPort, 'mail.shop.internal', 'A')).answer).toEqual([
      'mail.shop.internal. 5 IN A 10.0.0.25',
    ]);
    const warnings = logOf(daemon).filter(({ level }) => level === LEVEL.warn);
    expect(warnings).toMatchObject([
      { msg: expect.stringMatching(/content\.yaml: dnsMaxTtl, quotaNamespaces .*next start/) },
    ]);
  });

  it('is held against the settings in force', async () => {
    const check = '        healthCheck: { type: TCP }\n';
    const { file, daemon } = await start(HEAD + WEB);
    const edited = `allowPrivateHealthChecks: true\n${HEAD}${WEB}${service('db', { 'db-1': '10.0.0.5' }, check)}`;
    expect(await failBy(daemon, () => writeFileSync(file, edited))).toContain(`${file}:11: namespaces[0].services[1]`);
    expect((await dig(daemon.dnsPort, 'db.shop.internal', 'A')).rcode).toBe('NXDOMAIN');
  });
});

describe('SIGHUP', () => {
  it('sets back what calls have changed, as their log line says, though the file is as it was', async () => {
    const { daemon, api } = await start(HEAD + WEB);
    const { web } = (await idsOf(api)) as { web: string };
    await api.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.99' });
    await api.deregister(web, 'web-2');
    expect(await addressesOf(daemon, 'web.shop.internal')).toEqual(['10.0.0.99']);
    await waitFor('the log', () => (logOf(daemon).length === 2 ? true : null));
    expect(logOf(daemon)).toMatchObject([
      {
        msg: expect.stringMatching(/web-1 is declared in .*content\.yaml and was changed .*next reload or start sets/),
      },
      {
        msg: expect.stringMatching(/web-2 is declared in .*content\.yaml and was removed .*next reload or start sets/),
      },
    ]);
    expect(await hangUp(daemon)).toBe('1 created, 1 changed');
    expect(await addressesOf(daemon, 'web.shop.internal')).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(await hangUp(daemon)).toBe('nothing changed');
    expect(logOf(daemon)).toHaveLength(4);
  });

  it('leaves statuses as they are', async () => {
    const { daemon, api } = await start(
      HEAD + service('web', { a: '10.0.0.1', b: '10.0.0.2' }, '        healthCheckCustom: {}\n'),
    );
    const { web } = (await idsOf(api)) as { web: string };
    await api.setHealth(web, 'a', 'UNHEALTHY');
    expect(await hangUp(daemon)).toBe('nothing changed');
    expect(await addressesOf(daemon, 'web.shop.internal')).toEqual(['10.0.0.2']);
  });

  it('ten times at once is no more than one reload behind another', async () => {
    const { file, daemon } = await start(HEAD + WEB);
    writeFileSync(file, HEAD + WEB + MAIL);
    for (let i = 0; i < 10; i++) process.kill(daemon.pid, 'SIGHUP');
    await waitFor('a reload', () => (reloadsOf(daemon).length > 0 ? true : null));
    expect(await addressesOf(daemon, 'mail.shop.internal')).toEqual(['10.0.0.25']);
    // One by one again: whatever the ten have led to lies before it.
    expect(await reloadBy(daemon, () => writeFileSync(file, HEAD + WEB))).toMatch(/^(2 removed|nothing changed)$/);
    await waitFor('the removal', () => (reloadsOf(daemon).includes('2 removed') ? true : null));
    const [first, ...others] = reloadsOf(daemon);
    expect(first).toBe('2 created');
    expect(others.filter((line) => line !== 'nothing changed')).toEqual(['2 removed']);
    expect(errorsOf(daemon)).toEqual([]);
  });

  it('without a file is a line in the log and nothing else', async () => {
    const daemon = await journey.start({ settings: { STORE: 'memory' } });
    const api = new Api(daemon.endpoint);
    await api.createNamespace('own.internal');
    process.kill(daemon.pid, 'SIGHUP');
    await waitFor('the log', () => (logOf(daemon).length > 0 ? true : null));
    expect(logOf(daemon)).toMatchObject([{ level: LEVEL.info, msg: expect.stringContaining('CLOUDMAPD_CONFIG') }]);
    const { Namespaces = [] } = await api.sdk.send(new ListNamespacesCommand({}));
    expect(Namespaces.map(({ Name }) => Name)).toEqual(['own.internal']);
    expect(await daemon.stop('SIGTERM')).toBe(0);
  });
});
