/** A start on the answers that an earlier one has kept, step by step: real threads, a real store, real files. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../src/log.ts';
import { ANSWERS_FILE, AnswersFile } from '../src/publish/answers-file.ts';
import type { Publisher } from '../src/publish/publisher.ts';
import { Registry } from '../src/registry/registry.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';
import type { Store } from '../src/store/store.ts';
import { Supply } from '../src/supply.ts';
import type { CompileOptions } from '../src/synthesis/compile-options.ts';
import { readVersion } from '../src/version.ts';
import { COMPILE_OPTIONS } from './support/content.ts';
import { makeFolder } from './support/daemon.ts';
import { askUdp, buildQuery, readAnswer } from './support/dns.ts';
import { waitFor } from './support/journey-tools.ts';
import { startPublisher } from './support/publishing.ts';
import {
  deregisterCommand,
  namespaceCommand,
  OPTIONS,
  registerCommand,
  seededRandom,
  serviceCommand,
} from './support/registry.ts';

const WEB = 'web.corp.internal';

let folder: ReturnType<typeof makeFolder>;
const lives: Life[] = [];
beforeEach(() => {
  folder = makeFolder();
});
afterEach(async () => {
  for (const life of lives.splice(0)) await life.end();
  folder.remove();
});

/** One run of a daemon, as far as answers are concerned. */
class Life {
  readonly publisher: Publisher;
  readonly store: Store;
  readonly supply: Supply;
  registry: Registry | null = null;
  #hasEnded = false;

  private constructor(publisher: Publisher, store: Store, options: CompileOptions) {
    this.publisher = publisher;
    this.store = store;
    const log = createLog('error');
    log.level = 'silent';
    this.supply = new Supply(publisher, options, store, folder.path, log);
    this.supply.begin();
    lives.push(this);
  }

  /** Up to where the registry is read. */
  static async begin(options: Partial<CompileOptions> = {}): Promise<Life> {
    return new Life(await startPublisher(), openSqliteStore(folder.path), { ...COMPILE_OPTIONS, ...options });
  }

  async load(): Promise<Registry> {
    const shell = { store: this.store, options: OPTIONS, clock: Date.now, random };
    this.registry = await Registry.open(shell);
    await this.supply.resume(this.registry);
    await this.supply.complete(this.registry);
    await this.supply.renewAliases(this.registry);
    return this.registry;
  }

  async dig(name: string, type: string): Promise<string[]> {
    const port = this.publisher.addresses[0]?.port as number;
    const { rcode, answer } = readAnswer((await askUdp(port, buildQuery(name, type))) as Buffer);
    return answer.length === 0 ? [rcode] : answer.map((line) => line.split(' ').slice(3).join(' ')).sort();
  }

  /** Waits for an answer without the registry. */
  async answersEarly(): Promise<void> {
    await waitFor('a thread that answers', () => (this.publisher.isReady ? true : null));
    expect(this.registry).toBeNull();
  }

  async end(): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    await this.publisher.close();
    await this.registry?.settle();
    this.supply.close();
    await this.store.close();
  }
}

/** One for all lives: ids are not given twice. */
const random = seededRandom(1);

/** A namespace, a service and two instances. @returns the service's id */
async function fillRegistry(registry: Registry): Promise<string> {
  await registry.submit(namespaceCommand('corp.internal', { type: 'DNS_PRIVATE' }));
  const [namespace] = registry.state.namespaces();
  const dns = { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: 60 }] } as const;
  const { id } = await registry.submit(serviceCommand(namespace?.id as string, 'web', { dns }));
  await register(registry, id, 'web-1', '10.0.0.1');
  await register(registry, id, 'web-2', '10.0.0.2');
  return id;
}

const register = (registry: Registry, service: string, id: string, address: string) =>
  registry.submit(registerCommand(service, id, { AWS_INSTANCE_IPV4: address }));

describe('a start on kept answers', () => {
  it('answers before the registry is read, and follows it from then on', async () => {
    const first = await Life.begin();
    const service = await fillRegistry(await first.load());
    expect(await first.dig(WEB, 'A')).toEqual(['A 10.0.0.1', 'A 10.0.0.2']);
    await first.end();

    const second = await Life.begin();
    await second.answersEarly();
    expect(await second.dig(WEB, 'A')).toEqual(['A 10.0.0.1', 'A 10.0.0.2']);
    expect(await second.dig(`none.corp.internal`, 'A')).toEqual(['NXDOMAIN']);
    const registry = await second.load();
    await register(registry, service, 'web-3', '10.0.0.3');
    await registry.submit(deregisterCommand(service, 'web-1'));
    expect(await second.dig(WEB, 'A')).toEqual(['A 10.0.0.2', 'A 10.0.0.3']);
    await second.end();

    const third = await Life.begin();
    await third.answersEarly();
    expect(await third.dig(WEB, 'A')).toEqual(['A 10.0.0.2', 'A 10.0.0.3']);
  });

  it('goes on with a service of so many instances that they change one by one', async () => {
    const first = await Life.begin();
    const before = await first.load();
    const service = await fillRegistry(before);
    for (let n = 0; n < 60; n++) await register(before, service, `i-${n}`, `10.1.0.${n}`);
    await first.end();
    const second = await Life.begin();
    await second.answersEarly();
    const registry = await second.load();
    for (let n = 0; n < 58; n++) await registry.submit(deregisterCommand(service, `i-${n}`));
    const left = ['A 10.0.0.1', 'A 10.0.0.2', 'A 10.1.0.58', 'A 10.1.0.59'];
    expect(await second.dig(WEB, 'A')).toEqual(left);
    await second.end();
    const third = await Life.begin();
    await third.answersEarly();
    expect(await third.dig(WEB, 'A')).toEqual(left);
  });

  it('fills a thread that is lost before the registry is read, and one that is lost afterwards', async () => {
    const first = await Life.begin();
    const service = await fillRegistry(await first.load());
    await first.end();

    const second = await Life.begin();
    await second.answersEarly();
    const lose = async () => {
      await second.publisher.threads[0]?.terminate();
      await waitFor('the next thread', () => (second.publisher.isReady ? true : null));
    };
    await lose();
    expect(second.registry).toBeNull();
    expect(await second.dig(WEB, 'A')).toEqual(['A 10.0.0.1', 'A 10.0.0.2']);
    const registry = await second.load();
    await register(registry, service, 'web-3', '10.0.0.3');
    await lose();
    expect(await second.dig(WEB, 'A')).toEqual(['A 10.0.0.1', 'A 10.0.0.2', 'A 10.0.0.3']);
  });

  it('follows the registry also where a thread is being replaced while that is read', async () => {
    const first = await Life.begin();
    const service = await fillRegistry(await first.load());
    await first.end();
    const second = await Life.begin();
    await second.answersEarly();
    await second.publisher.threads[0]?.terminate();
    const registry = await second.load();
    await register(registry, service, 'web-3', '10.0.0.3');
    await waitFor('the next thread', () => (second.publisher.isReady ? true : null));
    expect(await second.dig(WEB, 'A')).toEqual(['A 10.0.0.1', 'A 10.0.0.2', 'A 10.0.0.3']);
  });

  it('has PTR records of what is registered later beside those that were kept', async () => {
    const first = await Life.begin({ hasPtr: true });
    const service = await fillRegistry(await first.load());
    await first.end();
    const second = await Life.begin({ hasPtr: true });
    await second.answersEarly();
    const reverse = '1.0.0.10.in-addr.arpa';
    expect(await second.dig(reverse, 'PTR')).toEqual([`PTR ${WEB}.`]);
    const registry = await second.load();
    const [namespace] = registry.state.namespaces();
    const dns = { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: 60 }] } as const;
    const other = await registry.submit(serviceCommand(namespace?.id as string, 'api', { dns }));
    await register(registry, other.id, 'api-1', '10.0.0.1');
    expect(await second.dig(reverse, 'PTR')).toEqual(['PTR api.corp.internal.', `PTR ${WEB}.`]);
    await registry.submit(deregisterCommand(service, 'web-1'));
    expect(await second.dig(reverse, 'PTR')).toEqual(['PTR api.corp.internal.']);
  });

  it('forgets what aliases stood for, which is not stored', async () => {
    const first = await Life.begin();
    const before = await first.load();
    await fillRegistry(before);
    const [namespace] = before.state.namespaces();
    const dns = { routingPolicy: 'WEIGHTED', records: [{ type: 'A', ttlSeconds: 60 }] } as const;
    const { id } = await before.submit(serviceCommand(namespace?.id as string, 'alias', { dns }));
    await before.submit(registerCommand(id, 'a-1', { AWS_ALIAS_DNS_NAME: 'www.example' }));
    const target = { ipv4: ['192.0.2.1'], ipv6: [], ttlSeconds: 30, isHealthy: true, lastHealthyAt: null };
    await before.submit(() => ({
      changes: [{ kind: 'alias-target', id: 'www.example', value: target }],
      result: null,
    }));
    expect(await first.dig('alias.corp.internal', 'A')).toEqual(['A 192.0.2.1']);
    await first.end();

    const second = await Life.begin();
    await second.answersEarly();
    expect(await second.dig('alias.corp.internal', 'A')).toEqual(['A 192.0.2.1']);
    await second.load();
    expect(await second.dig('alias.corp.internal', 'A')).toEqual(['NXDOMAIN']);
    expect(await second.dig(WEB, 'A')).toEqual(['A 10.0.0.1', 'A 10.0.0.2']);
  });
});

describe('kept answers that no thread can take in', () => {
  it('are got over when the registry is there', async () => {
    const first = await Life.begin();
    await fillRegistry(await first.load());
    await first.end();
    const store = openSqliteStore(folder.path);
    const { version } = store;
    await store.close();
    rmSync(join(folder.path, ANSWERS_FILE));
    const file = new AnswersFile({
      dataDir: folder.path,
      basis: [readVersion(), COMPILE_OPTIONS],
      version: () => version as string,
      onGivenUp: (error) => expect.fail(String(error)),
    });
    for (const _ of file.keep([Uint8Array.of(0, 0, 255)]));
    file.close();

    const second = await Life.begin();
    const registry = await second.load();
    await waitFor('a thread that answers', () => (second.publisher.isReady ? true : null));
    const [service] = registry.state.services();
    await register(registry, service?.id as string, 'web-3', '10.0.0.3');
    expect(await second.dig(WEB, 'A')).toEqual(['A 10.0.0.1', 'A 10.0.0.2', 'A 10.0.0.3']);
    await second.end();
    const third = await Life.begin();
    await third.answersEarly();
    expect(await third.dig(WEB, 'A')).toEqual(['A 10.0.0.1', 'A 10.0.0.2', 'A 10.0.0.3']);
  });
});

describe('a start without them', () => {
  const expectNoneUsed = async (life: Life): Promise<void> => {
    // What was kept would be on its way to the thread, in front of this question.
    expect(await life.dig(WEB, 'A')).toEqual(['SERVFAIL']);
    expect(life.publisher.isReady).toBe(false);
    await life.load();
    expect(await life.dig(WEB, 'A')).not.toEqual(['SERVFAIL']);
  };

  it('says SERVFAIL until the registry is read, where the store went on without it', async () => {
    const first = await Life.begin();
    await fillRegistry(await first.load());
    await first.end();
    const store = openSqliteStore(folder.path);
    await store.commit([], (await store.load()).revision);
    await store.close();
    const second = await Life.begin();
    await expectNoneUsed(second);
    await second.end();
    // That one has kept its own.
    const third = await Life.begin();
    await third.answersEarly();
    expect(await third.dig(WEB, 'A')).toEqual(['A 10.0.0.1', 'A 10.0.0.2']);
  });

  const others: [string, Partial<CompileOptions>][] = [
    ['the fallback', { fallback: 'all' }],
    ['the cap of TTLs', { maxTtlSeconds: 7 }],
    ["the SOA's TTL", { soaTtlSeconds: 6 }],
    ['whether there are PTR records', { hasPtr: true }],
    ['the addresses of the name server', { nameServers: { ipv4: ['127.0.0.2'], ipv6: [], areWildcard: false } }],
  ];
  it.each(others)('says so too where %s is another', async (_, options) => {
    const first = await Life.begin();
    await fillRegistry(await first.load());
    await first.end();
    await expectNoneUsed(await Life.begin(options));
  });
});
