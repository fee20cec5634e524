/** Debian's AWS CLI, as a user has it. It knows no switch for the `data-` prefix: the README's hosts entry. */
import { expect, it } from 'vitest';
import { dig } from '../support/dns.ts';
import { requireTool, setUpJourney } from '../support/journey-tools.ts';
import { carryOutAll } from '../support/operations-journey.ts';
import { awsCli, HOSTS_NAME, hostsEntry, kebab } from '../support/outside-client.ts';

const journey = setUpJourney();

// Each call is a process of a second.
const TIMEOUT_MS = 120_000;

it(
  'carries out each operation that it has a subcommand for',
  async (context) => {
    requireTool(context, "Debian's AWS CLI");
    const wrap = hostsEntry(context, journey);
    const daemon = await journey.start();
    const cli = awsCli(`http://${HOSTS_NAME}:${daemon.httpPort}`, { wrap });
    const operations = await cli.operations();
    expect(operations.length).toBeGreaterThanOrEqual(26);
    const done = await carryOutAll(cli, daemon, (operation) => operations.includes(kebab(operation)));
    expect([...done].map(kebab).sort()).toEqual(operations);
  },
  TIMEOUT_MS,
);

it(
  'signs its calls, writes its shorthand, and says what was refused',
  async (context) => {
    requireTool(context, "Debian's AWS CLI");
    const wrap = hostsEntry(context, journey);
    const daemon = await journey.start();
    const cli = awsCli(`http://${HOSTS_NAME}:${daemon.httpPort}`, { wrap, signed: true });
    const text = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await cli.run(...args);
      expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' });
      return stdout.trim();
    };
    await text(
      'create-private-dns-namespace',
      '--name',
      'shop.internal',
      '--vpc',
      'vpc-dev',
      '--tags',
      'Key=a,Value=b',
    );
    const named = ['--filters', 'Name=NAME,Values=shop.internal', '--query', 'Namespaces[0].Id', '--output', 'text'];
    const namespace = await text('list-namespaces', ...named);
    const dns = ['--dns-config', 'DnsRecords=[{Type=A,TTL=10}]', '--health-check-custom-config', 'FailureThreshold=1'];
    const created = ['--name', 'api', '--namespace-id', namespace, ...dns, '--query', 'Service.Id', '--output', 'text'];
    const service = await text('create-service', ...created);
    const address = ['--attributes', 'AWS_INSTANCE_IPV4=10.0.0.21,zone=a'];
    await text('register-instance', '--service-id', service, '--instance-id', 'api-1', ...address);
    expect((await dig(daemon.dnsPort, 'api.shop.internal', 'A')).answer).toEqual([
      'api.shop.internal. 10 IN A 10.0.0.21',
    ]);

    const where = ['--namespace-name', 'shop.internal', '--service-name', 'api'];
    const [found, refused] = await Promise.all([
      text('discover-instances', ...where, '--query-parameters', 'zone=a', '--output', 'json'),
      cli.run('delete-service', '--id', service),
    ]);
    expect(JSON.parse(found).Instances).toMatchObject([
      { InstanceId: 'api-1', HealthStatus: 'HEALTHY', Attributes: { AWS_INSTANCE_IPV4: '10.0.0.21', zone: 'a' } },
    ]);
    expect(refused.code).toBe(254);
    expect(refused.stderr).toContain('An error occurred (ResourceInUse) when calling the DeleteService operation');
  },
  TIMEOUT_MS,
);
