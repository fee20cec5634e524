/** Upstreams that ask this daemon for a part of their names: only one that sends back what it is asked is a loop. */
import { afterEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import {
  type Behaviour,
  closedPort,
  FakeUpstream,
  onlyAddress,
  questionOf,
  relaying,
} from '../support/fake-upstream.ts';
import { ask } from '../support/forwarding.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();
const opened: FakeUpstream[] = [];
afterEach(async () => {
  for (const upstream of opened.splice(0)) await upstream.close();
});

async function open(behaviour: Behaviour): Promise<FakeUpstream> {
  const upstream = await FakeUpstream.open(behaviour, { seesLoopChecks: true });
  opened.push(upstream);
  return upstream;
}

/** Names that pass the test have the address; the others are asked of the daemon at the port. */
function sharing(isOwn: (name: string) => boolean, address: string, port: number): Behaviour {
  const [own, back] = [onlyAddress(address), relaying('127.0.0.1', port)];
  return (query, overTcp, seen) => (isOwn(questionOf(query).name) ? own : back)(query, overTcp, seen);
}

const isLoopCheck = (name: string): boolean => /^loop-[0-9a-f]{16}(\.|$)/.test(name);
const isBelow =
  (suffix: string) =>
  (name: string): boolean =>
    name === suffix || name.endsWith(`.${suffix}`);

const NAMESPACE = (name: string) => ({
  namespaces: [
    {
      name,
      type: 'DNS_PRIVATE',
      services: [
        {
          name: 'web',
          dns: { records: [{ type: 'A', ttl: 10 }] },
          instances: [{ id: 'web-1', attributes: { AWS_INSTANCE_IPV4: '10.0.0.7' } }],
        },
      ],
    },
  ],
});

function start(
  port: number,
  settings: Readonly<Record<string, string>>,
  namespace = 'own.internal',
): Promise<RunningDaemon> {
  const CONFIG = journey.writeFile('zone.yaml', JSON.stringify(NAMESPACE(namespace)));
  return journey.start({ settings: { STORE: 'memory', CONFIG, DNS: `127.0.0.1:${port}`, ...settings } });
}

/** The log's warnings about the endpoint. */
function linesOn({ stderr }: RunningDaemon, endpoint: string): string[] {
  return stderr()
    .split('\n')
    .filter((line) => line.includes(endpoint));
}

const ADDRESS = '192.0.2.1';
const addressOf = (name: string): string => `${name}. 30 IN A ${ADDRESS}`;

describe('is taken for no loop, and asked:', () => {
  interface Shared {
    readonly what: string;
    /** What it answers itself. */
    readonly isOwn: (name: string) => boolean;
    /** @param endpoint its own; @param other that of an upstream that sends nothing back */
    readonly settings: (endpoint: string, other: string) => Readonly<Record<string, string>>;
    readonly names: readonly string[];
  }
  const CASES: readonly Shared[] = [
    {
      what: 'an upstream that sends what is below internal back (split horizon)',
      isOwn: (name) => !isBelow('internal')(name),
      settings: (UPSTREAMS) => ({ UPSTREAMS }),
      names: ['www.example.com', 'a.b.example.org'],
    },
    {
      what: 'a rule’s server whose recursor is this daemon, such as Consul',
      isOwn: isBelow('consul'),
      settings: (consul, UPSTREAMS) => ({
        UPSTREAMS,
        FORWARD: `consul=${consul}`,
        SINGLE_LABEL_UPSTREAMS: 'none',
      }),
      names: ['web.service.consul', 'node.consul', 'www.example.com'],
    },
    {
      what: 'an engine’s DNS for names of one label, which sends all others here',
      isOwn: (name) => !name.includes('.'),
      settings: (SINGLE_LABEL_UPSTREAMS, UPSTREAMS) => ({ UPSTREAMS, SINGLE_LABEL_UPSTREAMS }),
      names: ['web', 'db', 'www.example.com'],
    },
  ];

  it.each(CASES)('$what', async ({ isOwn, settings, names }) => {
    const port = await closedPort();
    const shared = await open(sharing(isOwn, ADDRESS, port));
    const other = await open(onlyAddress(ADDRESS));
    const daemon = await start(port, settings(shared.endpoint, other.endpoint));
    const checks = (): string[] => shared.seen.map(({ query }) => questionOf(query).name).filter(isLoopCheck);
    await waitFor('the look for loops', () => (checks().length > 0 ? true : null));
    // They are for names of the kind that it is asked for, which it answers itself.
    expect(checks().filter((name) => !isOwn(name))).toEqual([]);
    for (const name of names) {
      expect((await ask(port, `${name} A`)).answer).toEqual([addressOf(name)]);
    }
    // What it sends back is answered too.
    expect((await ask(shared.port, 'web.own.internal A')).answer).toEqual(['web.own.internal. 10 IN A 10.0.0.7']);
    expect(linesOn(daemon, shared.endpoint)).toEqual([]);
  });
});

describe('is found:', () => {
  // What goes round must be seen to, though it be below a zone of ours.
  it.each(['internal', 'example', 'cloudmapd.example'])('a loop, where we have a namespace %s', async (namespace) => {
    const port = await closedPort();
    const loop = await open(relaying('127.0.0.1', port));
    const daemon = await start(port, { UPSTREAMS: loop.endpoint }, namespace);
    await waitFor('the warning', () => (linesOn(daemon, loop.endpoint).length > 0 ? true : null));
    loop.seen.length = 0;
    expect((await ask(port, 'www.example.com A')).status).toBe('SERVFAIL RD RA');
    expect(loop.timesAsked('www.example.com')).toBe(0);
    expect((await ask(port, `web.${namespace} A`)).answer).toEqual([`web.${namespace}. 10 IN A 10.0.0.7`]);
    expect(linesOn(daemon, loop.endpoint)).toHaveLength(1);
  });

  it.each([
    ['of a rule', (loop: string) => ({ FORWARD: `consul=${loop}` }), 'web.service.consul'],
    ['for names of one label', (loop: string) => ({ SINGLE_LABEL_UPSTREAMS: loop }), 'web'],
  ])('a loop %s, whose other names are answered', async (_, settings, name) => {
    const port = await closedPort();
    const loop = await open(relaying('127.0.0.1', port));
    const other = await open(onlyAddress(ADDRESS));
    const daemon = await start(port, { UPSTREAMS: other.endpoint, ...settings(loop.endpoint) });
    await waitFor('the warning', () => (linesOn(daemon, loop.endpoint).length > 0 ? true : null));
    expect((await ask(port, `${name} A`)).status).toBe('SERVFAIL RD RA');
    expect((await ask(port, 'www.example.com A')).answer).toEqual([addressOf('www.example.com')]);
  });
});
