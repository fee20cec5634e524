/**
 * Makes the files of test/journeys/fixtures with the daemon of an older checkout:
 *   node test/support/make-old-store.ts <its src/main.ts> <a folder for the files>
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  CreateHttpNamespaceCommand,
  CreatePrivateDnsNamespaceCommand,
  CreatePublicDnsNamespaceCommand,
  CreateServiceCommand,
  DeleteNamespaceCommand,
  DeleteServiceAttributesCommand,
  TagResourceCommand,
  UpdatePrivateDnsNamespaceCommand,
  UpdateServiceAttributesCommand,
} from '@aws-sdk/client-servicediscovery';
import { makeFolder, startTestDaemon } from './daemon.ts';
import { Api } from './journey-api.ts';
import { readAll } from './read-all.ts';

/** What is under way when the daemon is killed is in this one. */
export const LATE_NAMESPACE = 'late.internal';
/** Nobody listens there, and nobody is asked again soon. */
export const OLD_STORE_SETTINGS = { HEALTH_INTERVAL_MS: '86400000', ALLOW_PRIVATE_HEALTH_CHECKS: 'true' };

export interface LateWork {
  readonly service: string;
  /** Of the instance `late-2`, which is not there yet. */
  readonly operation: string;
  readonly revision: number;
}

/** @returns the namespaces' ids: private, public, HTTP, late */
async function fillNamespaces(api: Api): Promise<[string, string, string, string]> {
  const id = async (operation: string | undefined) => (await api.operation(operation)).Targets?.NAMESPACE as string;
  const soa = { DnsProperties: { SOA: { TTL: 30 } } };
  const made = [
    await api.sdk.send(
      new CreatePrivateDnsNamespaceCommand({
        ...{ Name: 'old.internal', Vpc: 'vpc-1', Description: 'of before', CreatorRequestId: 'request-1' },
        ...{ Properties: soa, Tags: [{ Key: 'team', Value: 'shop' }] },
      }),
    ),
    await api.sdk.send(new CreatePublicDnsNamespaceCommand({ Name: 'old.example.com' })),
    await api.sdk.send(new CreateHttpNamespaceCommand({ Name: 'old-http', Tags: [{ Key: 'empty', Value: '' }] })),
    await api.sdk.send(new CreatePrivateDnsNamespaceCommand({ Name: LATE_NAMESPACE, Vpc: 'vpc-1' })),
    // The same name in another VPC, and one that is gone again.
    await api.sdk.send(new CreatePrivateDnsNamespaceCommand({ Name: 'old.internal', Vpc: 'vpc-2' })),
    await api.sdk.send(new CreatePrivateDnsNamespaceCommand({ Name: 'gone.internal', Vpc: 'vpc-1' })),
  ];
  const ids = await Promise.all(made.map(({ OperationId }) => id(OperationId)));
  await api.sdk.send(new DeleteNamespaceCommand({ Id: ids[5] }));
  const change = { Description: 'changed', Properties: soa };
  await api.sdk.send(new UpdatePrivateDnsNamespaceCommand({ Id: ids[0], Namespace: change }));
  return ids as [string, string, string, string];
}

async function fill(api: Api): Promise<string> {
  const [priv, pub, http, late] = await fillNamespaces(api);
  const web = await api.createService(priv, 'web', {
    ...{ HealthCheckCustomConfig: {}, Description: 'the web', CreatorRequestId: 'request-2' },
    Tags: [{ Key: 'env', Value: 'dev' }],
  });
  for (const n of [1, 2, 3, 4]) {
    await api.register(web, `web-${n}`, { AWS_INSTANCE_IPV4: `10.0.0.${n}`, stage: n > 2 ? 'beta' : 'prod' });
  }
  await api.register(web, 'web-1', { AWS_INSTANCE_IPV4: '10.0.1.1', AWS_INSTANCE_PORT: '8080', stage: 'beta' });
  await api.deregister(web, 'web-4');
  await api.setHealth(web, 'web-2', 'UNHEALTHY');
  const dual = await api.createService(priv, 'dual', {
    records: [
      ['A', 10],
      ['AAAA', 20],
    ],
    policy: 'WEIGHTED',
  });
  await api.register(dual, 'dual-1', { AWS_INSTANCE_IPV4: '10.0.2.1', AWS_INSTANCE_IPV6: '2001:db8::1' });
  const db = await api.createService(priv, '_db._tcp', { records: [['SRV', 15]] });
  for (const n of [1, 2]) {
    await api.register(db, `db-${n}`, { AWS_INSTANCE_IPV4: `10.0.3.${n}`, AWS_INSTANCE_PORT: '5432' });
  }
  const shop = await api.createService(priv, 'shop', { records: [['CNAME', 60]], policy: 'WEIGHTED' });
  await api.register(shop, 'shop-1', { AWS_INSTANCE_CNAME: 'www.example.com' });
  const alias = await api.createService(priv, 'alias', { policy: 'WEIGHTED' });
  await api.register(alias, 'alias-1', { AWS_ALIAS_DNS_NAME: 'dual.old.internal' });
  const checked = await api.createService(pub, 'checked', {
    HealthCheckConfig: { Type: 'TCP', FailureThreshold: 10 },
  });
  await api.register(checked, 'checked-1', { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: '1' });
  await api.updateService(checked, {
    Description: 'updated',
    DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 7 }] },
    HealthCheckConfig: { Type: 'TCP', FailureThreshold: 9 },
  });
  const gone = await api.createService(pub, 'gone');
  await api.deleteService(gone);
  const { Service } = await api.sdk.send(new CreateServiceCommand({ Name: 'Jobs', NamespaceId: http, Type: 'HTTP' }));
  const jobs = Service?.Id as string;
  await api.register(jobs, 'a/b:c@d', { text: 'no address at all', more: ' \u007e'.trim() });
  await api.sdk.send(new UpdateServiceAttributesCommand({ ServiceId: jobs, Attributes: { port: '80', old: '1' } }));
  await api.sdk.send(new DeleteServiceAttributesCommand({ ServiceId: jobs, Attributes: ['old'] }));
  await api.sdk.send(new TagResourceCommand({ ResourceARN: Service?.Arn, Tags: [{ Key: 'k', Value: 'v' }] }));
  const lateService = await api.createService(late, 'web', { HealthCheckCustomConfig: {} });
  await api.register(lateService, 'late-1', { AWS_INSTANCE_IPV4: '10.0.9.1' });
  return lateService;
}

async function make(main: string, target: string): Promise<void> {
  const folder = makeFolder();
  const dataDir = folder.path;
  const first = await startTestDaemon({ main, dataDir, settings: OLD_STORE_SETTINGS });
  const service = await fill(new Api(first.endpoint));
  await first.stop();

  const delays = { OPERATION_DELAY_MS: '3600000', CUSTOM_HEALTH_DELAY_MS: '3600000' };
  const second = await startTestDaemon({ main, dataDir, settings: { ...OLD_STORE_SETTINGS, ...delays } });
  const api = new Api(second.endpoint);
  const recorded = await readAll(second, LATE_NAMESPACE);
  const { revision } = await api.discover(LATE_NAMESPACE, 'web', 'ALL');
  // What comes last is in the log beside the file alone.
  await api.setHealth(service, 'late-1', 'UNHEALTHY');
  const operation = await api.register(service, 'late-2', { AWS_INSTANCE_IPV4: '10.0.9.2' });
  await second.stop('SIGKILL');

  const late: LateWork = { service, operation, revision };
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(dataDir).filter((file) => file.startsWith('cloudmapd.db'))) {
    writeFileSync(join(target, `${name}.gz`), gzipSync(readFileSync(join(dataDir, name)), { level: 9 }));
  }
  writeFileSync(join(target, 'recorded.json'), `${JSON.stringify({ late, recorded }, null, 1)}\n`);
  folder.remove();
}

const [main, target] = process.argv.slice(2);
if (process.argv[1] === import.meta.filename && main !== undefined && target !== undefined) await make(main, target);
