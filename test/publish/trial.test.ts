/** Queries that nobody has sent: answered as others are, by a thread that answers. */
import { afterEach, describe, expect, it } from 'vitest';
import type { TrialQuery } from '../../src/answers/thread-protocol.ts';
import type { Publisher } from '../../src/publish/publisher.ts';
import { deltaOf, rrset } from '../support/answering.ts';
import { buildQuery, readAnswer } from '../support/dns.ts';
import { type Behaviour, FakeUpstream, replyTo } from '../support/fake-upstream.ts';
import { startPublisher } from '../support/publishing.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const ZONES = { 'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])] } };

function trialOf(name: string, rest: Partial<TrialQuery> = {}): TrialQuery {
  const query = buildQuery(name, 'A', { rd: true, edns: 1232 });
  return { query, from: '127.0.0.1', to: '127.0.0.1', overTcp: false, ...rest };
}

async function start(
  behaviour: Behaviour | null,
  threads = 1,
): Promise<{ publisher: Publisher; upstream: FakeUpstream }> {
  const upstream = await FakeUpstream.open(behaviour ?? (() => []));
  closers.push(() => upstream.close());
  const { address, port } = upstream;
  const rest = { rules: [], singleLabel: null, cacheBytes: 100_000, staleSeconds: 0 };
  const publisher = await startPublisher({
    threads,
    forwarding: { isOn: behaviour !== null, upstreams: behaviour === null ? null : [{ address, port }], ...rest },
  });
  closers.push(() => publisher.close());
  return { publisher, upstream };
}

describe('a trial', () => {
  it('is answered as a query is, with what the thread has of the name', async () => {
    const { publisher } = await start(null);
    await publisher.fill(() => [deltaOf(ZONES)]);
    const trial = await publisher.try(trialOf('WEB.corp.internal'));
    expect(trial).toMatchObject({ outcome: 'zone', mayRecurse: true });
    expect(readAnswer(trial?.reply ?? new Uint8Array()).answer).toEqual(['WEB.corp.internal. 60 IN A 10.0.0.1']);
    expect(trial?.names).toEqual([
      {
        name: Uint8Array.from(Buffer.from('\x03web\x04corp\x08internal\0')),
        isRegistered: true,
        isLocal: false,
        route: { kind: 'default', suffix: null, isSingleLabel: false, upstreams: null, held: null },
      },
    ]);
  });

  it('of what is no query is answered with nothing', async () => {
    const { publisher } = await start(null);
    await publisher.fill(() => [deltaOf(ZONES)]);
    const query = buildQuery('web.corp.internal', 'A');
    query[2] = 0x80;
    const trial = await publisher.try({ ...trialOf('x'), query });
    expect([trial?.outcome, trial?.reply.length]).toEqual(['error', 0]);
  });

  it('is for nobody who answers where none does', async () => {
    const { publisher } = await start(null);
    expect(await publisher.try(trialOf('web.corp.internal'))).toBe(null);
  });

  it('whose thread is lost meanwhile is answered by another one', async () => {
    let lost = 0;
    const { publisher, upstream } = await start(async (query) => {
      if (lost++ === 0) await publisher.threads[0]?.terminate();
      return [replyTo(query)];
    }, 2);
    await publisher.fill(() => [deltaOf(ZONES)]);
    const trial = await publisher.try(trialOf('www.example'));
    expect(trial?.outcome).toBe('upstream');
    expect(readAnswer(trial?.reply ?? new Uint8Array()).answer).toEqual(['www.example. 9 IN A 192.0.0.1']);
    expect(upstream.timesAsked('www.example')).toBe(2);
  });

  it.each([
    ['127.0.0.9', true],
    ['192.0.2.1', false],
    ['2001:db8::1', false],
  ])('from %s is looked up outside: %s', async (from, isServed) => {
    const { publisher } = await start((query) => [replyTo(query)]);
    await publisher.fill(() => [deltaOf(ZONES)]);
    const trial = await publisher.try(trialOf('www.example', { from }));
    expect(trial?.mayRecurse).toBe(isServed);
    expect(readAnswer(trial?.reply ?? new Uint8Array()).rcode).toBe(isServed ? 'NOERROR' : 'REFUSED');
  });
});
