/** DNS queries as they are answered: the stream of `/admin/queries`, and the command that shows it. */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectFailure, runCli, startCli } from '../support/cli.ts';
import { askTcp, askUdp, buildQuery } from '../support/dns.ts';
import { NEVER, onlyAddress } from '../support/fake-upstream.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { runsToSuccess, setUpJourney, skipOrFail, waitFor } from '../support/journey-tools.ts';

const CONTENT = `namespaces:
  - name: own.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        instances: [{ id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.7 } }]
      - name: _db._tcp
        dns: { records: [{ type: SRV, ttl: 10 }] }
        instances: [{ id: db-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.8, AWS_INSTANCE_PORT: "5432" } }]
`;
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const WEB = buildQuery('web.own.internal', 'A');

const journey = setUpJourney();
const forwarding = shareForwarding({ behaviours: [onlyAddress('192.0.2.1')], file: () => CONTENT });

interface Stream {
  /** Those that came so far. */
  readonly lines: Record<string, unknown>[];
  /** Resolves when so many have come. */
  until(count: number): Promise<Record<string, unknown>[]>;
  /** Whether the daemon has ended it. */
  readonly hasEnded: () => boolean;
  close(): void;
}

let streams: Stream[] = [];
beforeEach(() => {
  streams = [];
});
afterEach(() => {
  for (const stream of streams) stream.close();
});

/** From the moment when this resolves on nothing is missed. */
async function openStream(endpoint: string, filter = ''): Promise<Stream> {
  const abort = new AbortController();
  const response = await fetch(`${endpoint}/admin/queries${filter}`, { signal: abort.signal });
  expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
  const lines: Record<string, unknown>[] = [];
  let hasEnded = false;
  const read = async (): Promise<void> => {
    let rest = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const parts = (rest + Buffer.from(chunk).toString()).split('\n');
      rest = parts.pop() as string;
      lines.push(...parts.map((part) => JSON.parse(part)));
    }
    hasEnded = true;
  };
  read().catch(() => undefined);
  const stream = {
    lines,
    until: (count: number) => waitFor(`${count} lines`, () => (lines.length >= count ? lines : null)),
    hasEnded: () => hasEnded,
    close: () => abort.abort(),
  };
  streams.push(stream);
  return stream;
}

const withoutTimes = ({ at, microseconds, ...rest }: Record<string, unknown>) => {
  expect(Math.abs(Date.parse(String(at)) - Date.now())).toBeLessThan(60_000);
  expect(microseconds).toBeGreaterThan(0);
  return rest;
};
const COMMON = { client: '127.0.0.1', transport: 'udp', rcode: 'NOERROR', outcome: 'zone' };

describe('GET /admin/queries', () => {
  it('has a line for each query, with what was answered', async () => {
    const { daemon, ask, upstream } = forwarding();
    const { dnsPort } = daemon;
    const stream = await openStream(daemon.endpoint);
    const asked: [() => Promise<unknown>, object][] = [
      [() => askUdp(dnsPort, WEB), { name: 'web.own.internal', type: 'A', answers: ['10.0.0.7'] }],
      [() => askTcp(dnsPort, [WEB]), { name: 'web.own.internal', type: 'A', answers: ['10.0.0.7'], transport: 'tcp' }],
      [
        () => askUdp(dnsPort, buildQuery('_DB._tcp.own.internal', 'SRV')),
        { name: '_DB._tcp.own.internal', type: 'SRV', answers: ['1 1 5432 db-1._db._tcp.own.internal'] },
      ],
      [
        () => askUdp(dnsPort, buildQuery('no.own.internal', 65, { edns: 1232 })),
        { name: 'no.own.internal', type: 'HTTPS', answers: [], rcode: 'NXDOMAIN' },
      ],
      [
        () => askUdp(dnsPort, buildQuery('a\x1b[2J\u00e9.own.internal', 'A')),
        { name: 'a\\027[2j\\233.own.internal', type: 'A', answers: [], rcode: 'NXDOMAIN' },
      ],
      [
        () => ask('www.example.com A'),
        { name: 'www.example.com', answers: ['192.0.2.1'], outcome: 'upstream', type: 'A' },
      ],
      [
        () => ask('www.example.com A'),
        { name: 'www.example.com', answers: ['192.0.2.1'], outcome: 'cache', type: 'A' },
      ],
      [
        () => askUdp(dnsPort, WEB.subarray(0, 15)),
        { name: null, type: null, answers: [], rcode: 'FORMERR', outcome: 'error' },
      ],
      [
        () =>
          askUdp(
            dnsPort,
            Uint8Array.from(WEB, (octet, at) => (at === 2 ? 0x80 : octet)),
            { timeoutMs: 10 },
          ),
        { name: null, type: null, answers: [], rcode: null, outcome: 'dropped' },
      ],
    ];
    for (const [i, [step, expected]] of asked.entries()) {
      await step();
      const line = withoutTimes((await stream.until(i + 1))[i] as Record<string, unknown>);
      expect({ ...line, name: typeof line.name === 'string' && i === 4 ? line.name.toLowerCase() : line.name }).toEqual(
        {
          ...COMMON,
          ...expected,
        },
      );
    }
    expect(stream.lines.length).toBe(asked.length);
    upstream.behaviour = () => NEVER;
    await ask('silent.example.com A');
    const waited = (await stream.until(asked.length + 1)).at(-1);
    expect(waited).toMatchObject({ name: 'silent.example.com', rcode: 'SERVFAIL', outcome: 'failed' });
    // It says how long the client waited, not how long it took to say so.
    expect(waited?.microseconds).toBeGreaterThan(500_000);
  });

  it('has those of a name and below it alone, or of a client alone, where it is asked to', async () => {
    const { endpoint, dnsPort } = forwarding().daemon;
    const below = await openStream(endpoint, '?name=OWN.internal.');
    const elsewhere = await openStream(endpoint, '?client=127.0.0.2');
    const mine = await openStream(endpoint, '?client=127.0.0.1&name=web.own.internal');
    for (const name of ['notown.internal', 'own.internal', 'WEB.own.internal', 'x.example', 'a.web.own.internal']) {
      await askUdp(dnsPort, buildQuery(name, 'A'));
    }
    await askUdp(dnsPort, WEB);
    const names = (lines: Record<string, unknown>[]) => lines.map(({ name }) => name);
    expect(names(await below.until(4))).toEqual([
      'own.internal',
      'WEB.own.internal',
      'a.web.own.internal',
      'web.own.internal',
    ]);
    expect(names(await mine.until(3))).toEqual(['WEB.own.internal', 'a.web.own.internal', 'web.own.internal']);
    expect(elsewhere.lines).toEqual([]);
  });

  it('shows nothing of what came before, and costs nothing once nobody listens', async () => {
    const { endpoint, dnsPort } = forwarding().daemon;
    await askUdp(dnsPort, WEB);
    const first = await openStream(endpoint);
    await askUdp(dnsPort, buildQuery('first.own.internal', 'A'));
    await first.until(1);
    first.close();
    await askUdp(dnsPort, buildQuery('unseen.own.internal', 'A'));
    const second = await openStream(endpoint);
    await askUdp(dnsPort, buildQuery('second.own.internal', 'A'));
    expect((await second.until(1)).map(({ name }) => name)).toEqual(['second.own.internal']);
    expect(first.lines.map(({ name }) => name)).toEqual(['first.own.internal']);
  });

  it('leaves lines out for a client that does not read, says how many, and lets nobody wait', async () => {
    const { httpPort, dnsPort, endpoint } = forwarding().daemon;
    const socket = connect(httpPort, '127.0.0.1').pause();
    socket.write('GET /admin/queries HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await new Promise((resolve) => socket.once('readable', resolve));
    const reader = await openStream(endpoint);
    const queries = Array.from({ length: 500 }, () => WEB);
    let asked = 0;
    // Until more has been said than can wait anywhere.
    for (; asked < 40_000; asked += queries.length)
      expect((await askTcp(dnsPort, queries)).length).toBe(queries.length);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    const count = (lines: Record<string, unknown>[]): number =>
      lines.reduce((sum, line) => sum + Number('leftOut' in line ? line.leftOut : 1), 0);
    await waitFor('the end of what was said', async () => {
      const lines = text.match(/^\{.*\}$/gm)?.map((line) => JSON.parse(line)) ?? [];
      return count(lines) >= asked && lines.some((line) => 'leftOut' in line) ? true : null;
    });
    // Whoever reads on is told of each of them too, shown or counted.
    await waitFor('the other', () => (count(reader.lines) === asked ? true : null));
    socket.destroy();
  });

  it('is refused to pages of another site', async () => {
    const { endpoint } = forwarding().daemon;
    const response = await fetch(`${endpoint}/admin/queries`, { headers: { origin: 'http://elsewhere.example' } });
    expect(response.status).toBe(403);
  });

  it.each([
    ['?name=a&name=b', /^name: /],
    ['?nome=a', /^query: /],
    ['?name=', /^name: "" is no domain name$/],
    ['?name=a..b', /^name: "a\.\.b" is no domain name$/],
    [`?name=${'a'.repeat(64)}.b`, /^name: "a+\.b" is no domain name$/],
    ['?name=sn%E2%98%83w.b', /^name: "sn☃w\.b" is no domain name$/],
    ['?name=a%5C999.b', /^name: /],
    ['?client=nope', /^client: "nope" is no IP address$/],
    ['?client=', /^client: "" is no IP address$/],
    ['?client=10.0.0.0/8', /^client: "10\.0\.0\.0\/8" is no IP address$/],
  ])('is refused where %s is asked for, which nothing can match', async (filter, problem) => {
    const response = await fetch(`${forwarding().daemon.endpoint}/admin/queries${filter}`);
    expect({ status: response.status, body: await response.json() }).toEqual({
      status: 400,
      body: { error: expect.stringMatching(problem) },
    });
  });

  it('takes names and addresses in every form that they have', async () => {
    const { endpoint, dnsPort } = forwarding().daemon;
    const filters = [
      '?name=.OWN.internal',
      '?name=.',
      '?name=b%5C032%5C233.own.internal',
      '?name=b%20%C3%A9.OWN.internal.',
      '?client=::FFFF:127.0.0.1',
      '?client=127.0.0.1',
    ];
    const streams = await Promise.all(filters.map((filter) => openStream(endpoint, filter)));
    await askUdp(dnsPort, buildQuery('b \u00e9.own.internal', 'A'));
    for (const stream of streams) expect(await stream.until(1)).toMatchObject([{ name: 'b\\032\\233.own.internal' }]);
  });

  it('is listened to by so many clients at once, and by others when those have gone', async () => {
    const { endpoint, dnsPort } = forwarding().daemon;
    const hundred = await Promise.all(Array.from({ length: 100 }, () => openStream(endpoint)));
    const response = await fetch(`${endpoint}/admin/queries`);
    expect({ status: response.status, body: await response.json() }).toEqual({
      status: 503,
      body: { error: '100 listen already' },
    });
    await askUdp(dnsPort, WEB);
    for (const stream of hundred) expect((await stream.until(1)).length).toBe(1);
    for (const stream of hundred) stream.close();
    const next = await waitFor('room', () => openStream(endpoint).catch(() => null));
    await askUdp(dnsPort, WEB);
    await next.until(1);
  });

  it('ends with the daemon, at once', async () => {
    const daemon = await journey.start({ settings: { STORE: 'memory', DNS_THREADS: '2' } });
    const stream = await openStream(daemon.endpoint);
    for (let i = 0; i < 20; i++) await askUdp(daemon.dnsPort, WEB);
    await stream.until(20);
    const stopping = daemon.stop();
    await waitFor('its end', () => (stream.hasEnded() ? true : null));
    expect(await stopping).toBe(0);
  });
});

describe('cloudmapd queries', () => {
  /** Asks until the command has shown something: it listens from some moment on. */
  async function shown(of: ReturnType<typeof startCli>, query = WEB): Promise<string> {
    let stdout = '';
    of.child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    return waitFor('a line', async () => {
      await askUdp(forwarding().daemon.dnsPort, query);
      return stdout.includes('\n') ? stdout : null;
    });
  }

  it('shows a line for people, without colours where nobody sees them, until it is interrupted', async () => {
    const command = startCli(['queries', '--endpoint', forwarding().daemon.endpoint]);
    const stdout = await shown(command);
    expect(stdout).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} {2}127\.0\.0\.1 +udp {2}web\.own\.internal A +NOERROR +zone +\d+ µs {2}10\.0\.0\.7\n/,
    );
    command.child.kill('SIGINT');
    expect(await command.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    ['--name', 'a..b', 'name: "a..b" is no domain name'],
    ['--client', 'nope', 'client: "nope" is no IP address'],
  ])('%s %s can match nothing, which is wrong usage', async (flag, value, message) => {
    const ended = await runCli(['queries', flag, value, '--endpoint', forwarding().daemon.endpoint]);
    expectFailure(ended, 2, `cloudmapd: ${message}\n`);
  });

  it('writes the lines as they are with --json, and takes the endpoint from the environment', async () => {
    const { endpoint } = forwarding().daemon;
    const command = startCli(['queries', '--json', '--name', 'own.internal'], {
      env: { CLOUDMAPD_ENDPOINT: endpoint },
    });
    const [line] = (await shown(command)).split('\n');
    expect(withoutTimes(JSON.parse(line as string))).toEqual({
      ...COMMON,
      name: 'web.own.internal',
      type: 'A',
      answers: ['10.0.0.7'],
    });
    command.child.kill('SIGTERM');
    expect((await command.ended).stderr).toBe('');
  });

  it('ends quietly when whoever reads it has read enough', async () => {
    const command = startCli(['queries', '--endpoint', forwarding().daemon.endpoint]);
    await shown(command);
    command.child.stdout.destroy();
    const { dnsPort } = forwarding().daemon;
    let isOver = false;
    void command.ended.then(() => {
      isOver = true;
    });
    await waitFor('its end', async () => {
      await askUdp(dnsPort, WEB);
      return isOver ? true : null;
    });
    expect(await command.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('fails with one line when the daemon stops', async () => {
    const daemon = await journey.start({ settings: { STORE: 'memory' } });
    const command = startCli(['queries', '--json', '--endpoint', daemon.endpoint]);
    let stdout = '';
    command.child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    await waitFor('a line', async () => {
      await askUdp(daemon.dnsPort, WEB);
      return stdout === '' ? null : true;
    });
    await daemon.stop();
    const { code, stderr } = await command.ended;
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `cloudmapd: the daemon at ${daemon.endpoint} tells no more: it has stopped\n`,
    });
  });

  it('has colours on a terminal, unless NO_COLOR forbids it, and says that it waits', async (context) => {
    if (!runsToSuccess('script', ['--version'])) skipOrFail(context, 'script does not work on this machine');
    const { endpoint, dnsPort } = forwarding().daemon;
    for (const [env, isColoured] of [[{}, true] as const, [{ NO_COLOR: '1' }, false] as const]) {
      const command = `'${process.execPath}' '${MAIN}' queries --endpoint ${endpoint}`;
      const { PATH, HOME } = process.env;
      const terminal = spawn('script', ['-qec', command, '/dev/null'], {
        env: { PATH, HOME, TERM: 'xterm', SHELL: '/bin/sh', ...env },
      });
      let screen = '';
      terminal.stdout.on('data', (chunk) => {
        screen += chunk;
      });
      const ended = new Promise((resolve) => terminal.once('close', resolve));
      await waitFor('a line on the screen', async () => {
        await askUdp(dnsPort, WEB);
        return screen.includes('10.0.0.7') ? true : null;
      });
      expect(screen).toContain('DNS queries from now on; Ctrl-C ends it');
      expect(screen.includes('\x1b[32mNOERROR')).toBe(isColoured);
      expect(screen.includes('\x1b')).toBe(isColoured);
      terminal.stdin.write('\x03');
      // As of every command that SIGINT ends; nothing but the terminal's own `^C` is said of it.
      expect(await ended).toBe(130);
      expect(screen).not.toContain('cloudmapd:');
    }
  });
});
