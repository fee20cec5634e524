/** A configuration file that cannot be applied while the daemon runs: everything stays as it was, and the log says why. */
import { rmSync, writeFileSync } from 'node:fs';
import { ListServicesCommand } from '@aws-sdk/client-servicediscovery';
import { describe, expect, it } from 'vitest';
import { Api } from '../support/journey-api.ts';
import { runsToSuccess, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { errorsOf, failBy, logOf, reloadBy, reloadsOf, viewOf } from '../support/reloading.ts';

const journey = setUpJourney();

const RECORDS = 'records: [{ name: printer.example, type: A, value: 10.0.0.9 }]\n';
const service = (name: string, id: string, address: string): string => `      - name: ${name}
        dns: { records: [{ type: A, ttl: 10 }] }
        instances:
          - { id: ${id}, attributes: { AWS_INSTANCE_IPV4: ${address} } }
`;
const shop = (services: string): string => `namespaces:
  - name: shop.internal
    type: DNS_PRIVATE
    services:
${services}`;
const GOOD = RECORDS + shop(service('web', 'web-1', '10.0.0.1'));
/** Everything is otherwise: a mistake in it would show wherever a part of it were applied. */
const OTHER = RECORDS.replace('10.0.0.9', '10.0.0.10') + shop(service('mail', 'mail-1', '10.0.0.25'));
const QUESTIONS = [
  'web.shop.internal A',
  'mail.shop.internal A',
  'shop.internal SOA',
  'own.taken.internal A',
  'printer.example A',
];

async function start(text: string) {
  const file = journey.writeFile('content.yaml', text);
  const daemon = await journey.start({ settings: { CONFIG: file } });
  const api = new Api(daemon.endpoint);
  const { Services = [] } = await api.sdk.send(new ListServicesCommand({}));
  const ids = Object.fromEntries(Services.map(({ Name, Id }) => [Name as string, Id as string]));
  return { file, daemon, api, ids };
}

describe('a mistake in the file', () => {
  it('changes nothing, whatever else the file says, and is told with line and key', async () => {
    const { file, daemon, api, ids } = await start(GOOD);
    const taken = await api.createService(await api.createNamespace('taken.internal'), 'own');
    await api.register(taken, 'own', { AWS_INSTANCE_IPV4: '10.0.9.9' });
    await api.register(ids.web as string, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.22' });
    await waitFor('the log', () => (logOf(daemon).length === 1 ? true : null));
    const before = await viewOf(daemon, QUESTIONS);
    const mistakes: [text: string, line: number, key: string, problem: string][] = [
      [`${OTHER}   - x: [\n`, 10, '', ''],
      [`${OTHER}        wrong: 1\n`, 10, 'namespaces[0].services[0].wrong', 'is not a known key'],
      [`dnsMaxTtl: soon\n${OTHER}`, 1, 'dnsMaxTtl', '"soon" cannot be used'],
      [OTHER.replace('type: A, ttl', 'type: MX, ttl'), 7, 'namespaces[0].services[0].dns.records[0].type', ''],
      [OTHER.replace('AWS_INSTANCE_IPV4', 'other'), 9, 'namespaces[0].services[0].instances[0].attributes', ''],
      [OTHER.replace('10.0.0.10', 'nowhere'), 1, 'records[0].value', 'is no IPv4 address'],
      [
        `${OTHER}  - { name: taken.internal, type: DNS_PRIVATE, vpc: vpc-1 }\n`,
        10,
        'namespaces[1].name',
        'made through the API',
      ],
    ];
    for (const [text, line, key, problem] of mistakes) {
      const error = await failBy(daemon, () => {
        writeFileSync(file, text);
        process.kill(daemon.pid, 'SIGHUP');
      });
      expect(error).toContain(`${file}:${line}: ${key}`);
      expect(error).toContain(problem);
      expect(await viewOf(daemon, QUESTIONS), error).toEqual(before);
    }
    expect(reloadsOf(daemon)).toEqual([]);
    // The instance that a call has changed.
    expect(await reloadBy(daemon, () => writeFileSync(file, GOOD))).toBe('1 changed');
    expect(await reloadBy(daemon, () => writeFileSync(file, OTHER))).toBe('2 created, 1 changed, 2 removed');
    // Though the file was looked at again meanwhile.
    expect(errorsOf(daemon)).toHaveLength(mistakes.length);
  });

  it('is told once for as long as the file stays as it is, and again for SIGHUP', async () => {
    const { file, daemon } = await start(GOOD);
    const error = await failBy(daemon, () => writeFileSync(file, `${OTHER}wrong: 1\n`));
    expect(error).toContain(`${file}:10: wrong: is not a known key`);
    expect(await failBy(daemon, () => process.kill(daemon.pid, 'SIGHUP'))).toBe(error);
    expect(await failBy(daemon, () => writeFileSync(file, `wrong: 1\n${OTHER}`))).toContain(`${file}:1: wrong: `);
    expect(errorsOf(daemon)).toHaveLength(3);
  });

  it('is a file that is gone, too, until it is back', async () => {
    const { file, daemon } = await start(GOOD);
    const before = await viewOf(daemon, QUESTIONS);
    const error = await failBy(daemon, () => rmSync(file));
    expect(error).toMatch(/^CLOUDMAPD_CONFIG: cannot read ".*content\.yaml": ENOENT/);
    expect(await failBy(daemon, () => process.kill(daemon.pid, 'SIGHUP'))).toBe(error);
    expect(await viewOf(daemon, QUESTIONS)).toEqual(before);
    expect(await reloadBy(daemon, () => writeFileSync(file, GOOD))).toBe('nothing changed');
    expect(await viewOf(daemon, QUESTIONS)).toEqual(before);
    expect(errorsOf(daemon)).toHaveLength(2);
  });
});

describe('a disk that takes no more', () => {
  it('has everything stay as it was, and the file is applied once it does again', async (context) => {
    if (!runsToSuccess('prlimit', ['--version'])) context.skip('this machine has no prlimit');
    const jobs = '  - { name: jobs, type: HTTP, services: [{ name: worker }] }\n';
    const { file, daemon, api, ids } = await start(`namespaces:\n${jobs}`);
    const before = await viewOf(daemon, QUESTIONS);
    const limit = (size: string): void =>
      expect(runsToSuccess('prlimit', ['--pid', `${daemon.pid}`, `--fsize=${size}`])).toBe(true);
    limit('0:unlimited');
    const edited = `ec2Instances: { i-1: 10.1.1.1 }\n${GOOD}${jobs}`;
    writeFileSync(file, edited);
    await waitFor('the error', () => errorsOf(daemon).find((line) => line.startsWith(`${file} is applied as`)) ?? null);
    expect(await viewOf(daemon, QUESTIONS)).toEqual(before);
    const register = () => api.register(ids.worker as string, 'one', { AWS_EC2_INSTANCE_ID: 'i-1' });
    // It is refused for what was in force before, not for the disk.
    await expect(register()).rejects.toMatchObject({ message: expect.stringContaining('"i-1" is not known') });

    expect(await reloadBy(daemon, () => limit('unlimited:unlimited'))).toBe('5 created');
    expect(await viewOf(daemon, QUESTIONS)).toMatchObject({
      answers: [
        { answer: ['web.shop.internal. 10 IN A 10.0.0.1'] },
        { rcode: 'NXDOMAIN' },
        { rcode: 'NOERROR' },
        {},
        { answer: ['printer.example. 60 IN A 10.0.0.9'] },
      ],
    });
    await register();
    expect(await api.attributesOf(ids.worker as string, 'one')).toMatchObject({ AWS_INSTANCE_IPV4: '10.1.1.1' });
  });
});
