import { once } from 'node:events';
import { mkdirSync, readdirSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { buffer, json } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { readVersion } from '../../src/version.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { runsToSuccess, setUpJourney, skipOrFail, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();

function ask(endpoint: string, path = '/admin/backup'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(`${endpoint}${path}`, { agent: false }, resolve).once('error', reject);
  });
}

/** A data folder with the backup as its database. */
async function restore(response: IncomingMessage): Promise<string> {
  expect(response.statusCode).toBe(200);
  const bytes = await buffer(response);
  expect(bytes).toHaveLength(Number(response.headers['content-length']));
  const dataDir = journey.newPath();
  mkdirSync(dataDir, { recursive: true });
  await writeFile(join(dataDir, 'cloudmapd.db'), bytes);
  return dataDir;
}

/** Attributes of some kilobytes make a database of some megabytes quickly. */
async function fill(api: Api, instances: number): Promise<string> {
  const service = await api.createService(await api.createNamespace('corp.internal'), 'web');
  const attributes = Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`note-${i}`, 'n'.repeat(1000)]));
  const ids = Array.from({ length: instances }, (_, i) => `web-${i}`);
  await Promise.all(
    ids.map((id, i) => api.register(service, id, { AWS_INSTANCE_IPV4: `10.0.${i >> 8}.${i & 255}`, ...attributes })),
  );
  return service;
}

const copiesIn = (dataDir: string) => readdirSync(dataDir).filter((name) => name.includes('.backup-'));

describe('GET /admin/backup', () => {
  it('gives a file with which another daemon goes on: content, health, revisions and DNS', async () => {
    const first = await journey.start();
    const api = new Api(first.endpoint);
    const namespace = await api.createNamespace('corp.internal');
    const service = await api.createService(namespace, 'web', { HealthCheckCustomConfig: { FailureThreshold: 1 } });
    await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1', stage: 'beta' });
    await api.register(service, 'web-2', { AWS_INSTANCE_IPV4: '10.0.0.2' });
    await api.setHealth(service, 'web-2', 'UNHEALTHY');
    const dataDir = await restore(await ask(first.endpoint));
    await api.register(service, 'web-3', { AWS_INSTANCE_IPV4: '10.0.0.3' });
    const before = await api.discover('corp.internal', 'web');

    const second = await journey.start({ dataDir });
    const again = new Api(second.endpoint);
    expect(await again.instanceIds(service)).toEqual(['web-1', 'web-2']);
    expect(await again.attributesOf(service, 'web-1')).toEqual({ AWS_INSTANCE_IPV4: '10.0.0.1', stage: 'beta' });
    expect(await again.healthOf(service)).toEqual({ 'web-1': 'HEALTHY', 'web-2': 'UNHEALTHY' });
    expect((await dig(second.dnsPort, 'web.corp.internal', 'A')).answer).toEqual([
      'web.corp.internal. 60 IN A 10.0.0.1',
    ]);
    const restored = await again.discover('corp.internal', 'web');
    expect(restored.revision).toBeLessThan(before.revision as number);
    await again.register(service, 'web-3', { AWS_INSTANCE_IPV4: '10.0.0.3' });
    expect((await again.discover('corp.internal', 'web')).revision).toBeGreaterThan(restored.revision as number);
  });

  it('has every call that was answered before it, in the middle of a writer at full speed', async () => {
    const { endpoint } = await journey.start({ settings: { QUOTA_INSTANCES_PER_SERVICE: '0' } });
    const api = new Api(endpoint);
    const service = await fill(api, 500);
    const answered: string[] = [];
    let isOver = false;
    // Each re-registers its own instance again and again: the number in it says which call was the last.
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; !isOver; n++) {
        await api.register(service, `writer-${writer}`, { AWS_INSTANCE_IPV4: '10.9.0.1', n: `${n}`, same: `${n}` });
        answered[writer] = String(n);
      }
    });
    await waitFor('all writers', () => (Object.keys(answered).length === 8 ? true : null));
    const before = [...answered];
    const dataDir = await restore(await ask(endpoint));
    isOver = true;
    await Promise.all(writers);

    const restored = new Api((await journey.start({ dataDir })).endpoint);
    expect(await restored.instanceIds(service)).toHaveLength(508);
    for (const [writer, n] of before.entries()) {
      const attributes = await restored.attributesOf(service, `writer-${writer}`);
      expect(Number(attributes?.n)).toBeGreaterThanOrEqual(Number(n));
      expect(attributes?.same).toBe(attributes?.n);
    }
  });

  it('goes on answering DNS and calls meanwhile', async () => {
    const { endpoint, dnsPort } = await journey.start();
    const api = new Api(endpoint);
    const service = await fill(api, 500);
    const backup = ask(endpoint).then(buffer);
    await api.register(service, 'late', { AWS_INSTANCE_IPV4: '10.9.9.9' });
    expect((await dig(dnsPort, 'web.corp.internal', 'A')).rcode).toBe('NOERROR');
    await backup;
  });

  it('refuses a second one until the first is sent, and leaves no file, also where the client goes away', async () => {
    const dataDir = journey.newPath();
    const { endpoint } = await journey.start({ dataDir });
    await fill(new Api(endpoint), 900);
    // Sent as far as the sockets take it, as nobody reads.
    const first = await ask(endpoint);
    expect(first.statusCode).toBe(200);
    expect(copiesIn(dataDir)).toEqual([]);
    const second = await ask(endpoint);
    expect([second.statusCode, await json(second)]).toEqual([
      503,
      { error: 'another backup is under way: try again when it has ended' },
    ]);
    first.destroy();
    await waitFor('its end', async () => {
      const response = await ask(endpoint);
      response.resume();
      return response.statusCode === 200 ? true : null;
    });
    expect(copiesIn(dataDir)).toEqual([]);
  });

  it('does not stand in the way of the next one where the client goes away before it is there', async () => {
    const dataDir = journey.newPath();
    const { endpoint } = await journey.start({ dataDir });
    await fill(new Api(endpoint), 900);
    const request = get(`${endpoint}/admin/backup`, { agent: false });
    request.on('error', () => {});
    await once(request, 'finish');
    request.destroy();
    const response = await waitFor('another one', async () => {
      const next = await ask(endpoint);
      if (next.statusCode === 200) return next;
      next.resume();
      return null;
    });
    expect(await buffer(response)).toHaveLength(Number(response.headers['content-length']));
    expect(copiesIn(dataDir)).toEqual([]);
  });

  it('is refused where it would fill the disk, and calls go on', async (context) => {
    const mount = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'];
    if (!runsToSuccess('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /tmp'])) {
      skipOrFail(context, 'no file system can be mounted here with unshare');
    }
    const dataDir = journey.newPath();
    mkdirSync(dataDir, { recursive: true });
    const { endpoint, pid } = await journey.start({ dataDir, launcher: [...mount, dataDir] });
    const api = new Api(endpoint);
    const service = await fill(api, 500);
    // How much the log has taken of the disk is by how the calls came together.
    const inside = join(`/proc/${pid}/root`, dataDir);
    const { bavail, bsize } = statfsSync(inside);
    await writeFile(join(inside, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - 2 ** 20)));
    const response = await ask(endpoint);
    expect([response.statusCode, await json(response)]).toEqual([
      500,
      { error: expect.stringMatching(/cloudmapd\.db: a copy takes \d MiB for a while, and the disk has \d MiB left$/) },
    ]);
    await api.register(service, 'late', { AWS_INSTANCE_IPV4: '10.9.9.9' });
  });

  it('says that there is none where the store has no file', async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory' } });
    const response = await ask(endpoint);
    expect([response.statusCode, await json(response)]).toEqual([
      409,
      { error: expect.stringContaining('CLOUDMAPD_STORE') },
    ]);
  });

  it('is refused to a page that was made to lead here, and to one of another site', async () => {
    const { endpoint } = await journey.start();
    for (const headers of [{ host: 'evil.example' }, { origin: 'http://evil.example' }]) {
      const status = await new Promise((resolve, reject) => {
        get(`${endpoint}/admin/backup`, { agent: false, headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).once('error', reject);
      });
      expect(status).toBe(403);
    }
  });
});

describe('GET /admin/info', () => {
  it('says which daemon it is, and which folder it holds', async () => {
    const dataDir = journey.newPath();
    const { endpoint, pid } = await journey.start({ dataDir });
    const { dev, ino } = statSync(join(dataDir, 'cloudmapd.db'), { bigint: true });
    expect(await json(await ask(endpoint, '/admin/info'))).toEqual({
      version: readVersion(),
      pid,
      store: 'sqlite',
      dataDir: realpathSync(dataDir),
      file: `${dev}:${ino}`,
    });
    // Looking at the file has not let go of it.
    const other = await journey.runToEnd({ dataDir });
    expect(other.stderr).toContain('held by another');
  });

  it('has no folder in memory', async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory' } });
    expect(await json(await ask(endpoint, '/admin/info'))).toMatchObject({
      store: 'memory',
      dataDir: null,
      file: null,
    });
  });
});
