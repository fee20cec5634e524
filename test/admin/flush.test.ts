import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { FakeUpstream, GOOD } from '../support/fake-upstream.ts';

const folder = makeFolder();
let upstream: FakeUpstream;
let daemon: RunningDaemon;

beforeAll(async () => {
  upstream = await FakeUpstream.open(GOOD);
  daemon = await startTestDaemon({ dataDir: folder.path, settings: { STORE: 'memory', UPSTREAMS: upstream.endpoint } });
});
afterAll(async () => {
  await daemon?.stop('SIGKILL');
  await upstream?.close();
  folder.remove();
});

async function post(body: string | null): Promise<[number, unknown]> {
  const response = await fetch(`http://127.0.0.1:${daemon.httpPort}/admin/flush`, { method: 'POST', body });
  return [response.status, await response.json()];
}

const NAMES = ['www.example.com', 'example.com', 'other.example'];

/** Those of the names that the upstream has to be asked for. */
async function askAll(): Promise<string[]> {
  const before = upstream.seen.length;
  const times = (): number[] => NAMES.map((name) => upstream.timesAsked(name));
  const asked = times();
  for (const name of NAMES) expect((await dig(daemon.dnsPort, name, 'A', { rd: true })).rcode).toBe('NOERROR');
  expect(upstream.seen.length - before).toBeLessThanOrEqual(NAMES.length);
  return NAMES.filter((_, i) => times()[i] !== asked[i]);
}

describe('POST /admin/flush', () => {
  it.each<[string, string | null, string[]]>([
    ['a name', '{"name":"example.com"}', ['example.com']],
    ['a name with its ending dot, in any case', '{"name":"Example.COM."}', ['example.com']],
    ['a name and those below it', '{"name":"example.com","below":true}', ['www.example.com', 'example.com']],
    ['nothing', '{"name":"example.org"}', []],
    ['all below the root', '{"name":".","below":true}', NAMES],
    ['everything', '{}', NAMES],
    ['everything, by no body', null, NAMES],
  ])('forgets %s', async (_, body, gone) => {
    await askAll();
    expect(await post(body)).toEqual([200, { flushed: gone.length }]);
    expect(await askAll()).toEqual(gone);
  });

  it.each([
    ['no JSON', 'example.com', 'body: '],
    ['a list', '["example.com"]', 'body: '],
    ['null', 'null', 'body: '],
    ['an empty name', '{"name":""}', 'name: '],
    ['a name of a number', '{"name":7}', 'name: '],
    ['another key', '{"names":["example.com"]}', 'body: '],
    ['below that is no truth', '{"below":"yes"}', 'below: '],
    // An answering thread that is told of such a name would end.
    ['an empty label', '{"name":"a..b"}', 'name: '],
    ['a label of 64 octets', `{"name":"${'a'.repeat(64)}.x"}`, 'name: '],
    ['a name over 255 octets', `{"name":"${'a.'.repeat(127)}a"}`, 'name: '],
    ['a character beyond one octet', '{"name":"snow☃.x"}', 'name: '],
  ])('refuses %s', async (_, body, problem) => {
    await askAll();
    const [status, { error }] = (await post(body)) as [number, { error: string }];
    expect(status).toBe(400);
    expect(error.slice(0, problem.length)).toBe(problem);
    // And nothing is forgotten, nor has the thread that answers been lost.
    expect(await askAll()).toEqual([]);
  });
});
