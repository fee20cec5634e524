/** A daemon that answers DNS before it has read its store, by what the last one has kept. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ANSWERS_FILE } from '../../src/publish/answers-file.ts';
import { encodeChange } from '../../src/registry/records.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { instanceOf, namespaceOf, serviceOf } from '../support/content.ts';
import { spawnDaemon } from '../support/daemon.ts';
import { askUdp, buildQuery, dig, readAnswer } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { expectServing, setUpJourney, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();
const inodeIn = (dataDir: string): number => statSync(join(dataDir, ANSWERS_FILE)).ino;

async function addressesOf(dnsPort: number, name: string): Promise<string[]> {
  const { answer } = await dig(dnsPort, name, 'A');
  return answer.map((line) => line.split(' ').at(-1) as string).sort();
}

describe('kept answers', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)('are of use after %s, and right', async (signal) => {
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const before = new Api(first.endpoint);
    const service = await before.createService(await before.createNamespace('corp.internal'), 'web');
    for (const id of ['1', '2', '3']) await before.register(service, id, { AWS_INSTANCE_IPV4: `10.0.0.${id}` });
    await before.deregister(service, '1');
    const inode = inodeIn(dataDir);
    await first.stop(signal);

    const second = await journey.start({ dataDir });
    // Used, and gone on with: else it would have been made anew.
    expect(inodeIn(dataDir)).toBe(inode);
    expect(await addressesOf(second.dnsPort, 'web.corp.internal')).toEqual(['10.0.0.2', '10.0.0.3']);
    await new Api(second.endpoint).register(service, '4', { AWS_INSTANCE_IPV4: '10.0.0.4' });
    await second.stop(signal);

    const third = await journey.start({ dataDir });
    expect(inodeIn(dataDir)).toBe(inode);
    expect(await addressesOf(third.dnsPort, 'web.corp.internal')).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4']);
    await expectServing(third);
  });

  it('are made anew where they are damaged, or other settings make other answers', async () => {
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const api = new Api(first.endpoint);
    const service = await api.createService(await api.createNamespace('corp.internal'), 'web');
    await api.register(service, '1', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    await first.stop();
    writeFileSync(join(dataDir, ANSWERS_FILE), 'no answers\n');
    const second = await journey.start({ dataDir });
    expect((await dig(second.dnsPort, 'web.corp.internal', 'A')).answer).toEqual([
      'web.corp.internal. 60 IN A 10.0.0.1',
    ]);
    await second.stop();

    const inode = inodeIn(dataDir);
    const third = await journey.start({ dataDir, settings: { DNS_MAX_TTL: '7' } });
    expect((await dig(third.dnsPort, 'web.corp.internal', 'A')).answer).toEqual(['web.corp.internal. 7 IN A 10.0.0.1']);
    expect(inodeIn(dataDir)).not.toBe(inode);
  });

  it('follow what a file declares by now', async () => {
    const dataDir = journey.newPath();
    const config = (address: string): string =>
      journey.writeFile(
        'cloudmapd.yaml',
        `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 60 }] }
        instances: [{ id: web-1, attributes: { AWS_INSTANCE_IPV4: ${address} } }]
`,
      );
    const first = await journey.start({ dataDir, settings: { CONFIG: config('10.0.0.1') } });
    expect(await addressesOf(first.dnsPort, 'web.corp.internal')).toEqual(['10.0.0.1']);
    const inode = inodeIn(dataDir);
    await first.stop('SIGKILL');
    const second = await journey.start({ dataDir, settings: { CONFIG: config('10.0.0.2') } });
    expect(await addressesOf(second.dnsPort, 'web.corp.internal')).toEqual(['10.0.0.2']);
    expect(inodeIn(dataDir)).toBe(inode);
  });

  it('are answered while a large store is being read; the probes say how far it is', async () => {
    const dataDir = journey.newPath();
    const store = openSqliteStore(dataDir);
    const namespace = namespaceOf();
    const services = Array.from({ length: 6000 }, (_, n) => serviceOf({ id: `srv-${n}`, name: `s${n}` }));
    const instances = services.flatMap(({ id }, n) =>
      Array.from({ length: 10 }, (_, i) =>
        instanceOf({ serviceId: id, id: `i-${n}-${i}`, ipv4: `10.${n >> 8}.${n & 255}.${i}` }),
      ),
    );
    const changes = [
      { kind: 'namespace', id: namespace.id, value: namespace } as const,
      ...services.map((value) => ({ kind: 'service', id: value.id, value }) as const),
      ...instances.map((value) => ({ kind: 'instance', serviceId: value.serviceId, id: value.id, value }) as const),
    ];
    await store.commit(changes.map(encodeChange), 0);
    await store.close();
    const first = await journey.start({ dataDir });
    await first.stop('SIGKILL');

    const settings = { HTTP: `127.0.0.1:${first.httpPort}`, DNS: `127.0.0.1:${first.dnsPort}` };
    const { child, exited } = spawnDaemon({ dataDir, settings });
    try {
      const statusOf = async (probe: string): Promise<number> => (await fetch(`${first.endpoint}/${probe}`)).status;
      await waitFor('an answer', async () => {
        const reply = await askUdp(first.dnsPort, buildQuery('s5999.corp.internal', 'A'), { timeoutMs: 100 });
        if (reply === null) return null;
        const { rcode, answer } = readAnswer(reply);
        if (rcode === 'SERVFAIL') return null;
        expect(answer).toHaveLength(8);
        return true;
      });
      expect([await statusOf('readyz'), await statusOf('healthz')]).toEqual([503, 200]);
      await waitFor('the API', async () => ((await statusOf('readyz')) === 200 ? true : null));
      expect(await new Api(first.endpoint).instanceIds('srv-5999')).toHaveLength(10);
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
  });
});
