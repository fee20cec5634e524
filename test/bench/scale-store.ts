/** `scale-store.ts FOLDER INSTANCES PER_SERVICE`: makes the store of a daemon with so many, as the registry writes them. */
import { hostedZoneId, namespaceId, operationId, serviceId } from '../../src/registry/ids.ts';
import type { Change } from '../../src/registry/model.ts';
import { encodeChange } from '../../src/registry/records.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { TTL_SECONDS } from './peers/peer.ts';
import { scaleZones } from './scale-content.ts';

const BATCH = 20_000;
const [folder, instances, perService] = process.argv.slice(2) as [string, string, string];
const random = (bound: number): number => Math.floor(Math.random() * bound);
const now = Date.now();

function* changes(): Generator<Change> {
  let revision = 1;
  for (const { apex, hosts } of scaleZones(Number(instances), Number(perService))) {
    const namespace = namespaceId(random);
    yield {
      kind: 'namespace',
      id: namespace,
      value: {
        id: namespace,
        name: apex,
        httpName: apex,
        type: 'DNS_PRIVATE',
        description: null,
        vpc: 'vpc-1',
        hostedZoneId: hostedZoneId(random),
        soaTtlSeconds: null,
        tags: {},
        creatorRequestId: null,
        operationId: null,
        createdAt: now,
        manager: 'api',
      },
    };
    yield { kind: 'serial', id: apex, value: Math.floor(now / 1000) };
    for (const { name, addresses } of hosts) {
      const service = serviceId(random);
      yield {
        kind: 'service',
        id: service,
        value: {
          id: service,
          namespaceId: namespace,
          name: name.slice(0, -apex.length - 1),
          type: 'DNS_HTTP',
          description: null,
          dns: { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: TTL_SECONDS }] },
          healthCheck: null,
          hasCustomHealthCheck: false,
          attributes: {},
          tags: {},
          creatorRequestId: null,
          requestDigest: null,
          createdAt: now,
          manager: 'api',
        },
      };
      yield { kind: 'revision', id: service, value: revision++ };
      for (const [i, address] of addresses.entries()) {
        yield {
          kind: 'instance',
          serviceId: service,
          id: `i-${i}`,
          value: {
            serviceId: service,
            id: `i-${i}`,
            attributes: { AWS_INSTANCE_IPV4: address, AWS_INSTANCE_PORT: '8080' },
            health: { status: 'HEALTHY', lastHealthyAt: null, pending: null },
            creatorRequestId: null,
            operationId: operationId(random, now),
            registeredAt: now,
            manager: 'api',
          },
        };
      }
    }
  }
}

const store = openSqliteStore(folder);
let { revision } = await store.load();
let batch: Change[] = [];
const commit = async (): Promise<void> => {
  revision = await store.commit(batch.map(encodeChange), revision);
  batch = [];
};
for (const change of changes()) {
  batch.push(change);
  if (batch.length === BATCH) await commit();
}
await commit();
await store.close();
