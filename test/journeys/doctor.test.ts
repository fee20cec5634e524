/** `cloudmapd doctor`: each situation is made for real, and what it says mends it is done and looked at again. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { examine, readDiagnosis, settingIn } from '../support/doctor.ts';
import { type Behaviour, closedPort, FakeUpstream, GOOD, NEVER, relaying, replyTo } from '../support/fake-upstream.ts';
import { Api } from '../support/journey-api.ts';
import { expectServing, requireIpv6, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { requireTerminal, runInTerminal } from '../support/terminal.ts';

const journey = setUpJourney();
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

function start(settings: Readonly<Record<string, string>> = {}): Promise<RunningDaemon> {
  return journey.start({ settings: { STORE: 'memory', ...settings } });
}

async function open(behaviour: Behaviour, seesLoopChecks = false): Promise<FakeUpstream> {
  const upstream = await FakeUpstream.open(behaviour, { seesLoopChecks });
  opened.push(upstream);
  return upstream;
}

/** A UDP socket of this process. */
async function holdUdp(address = '127.0.0.1'): Promise<number> {
  const socket: Socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  opened.push(socket);
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  return socket.address().port;
}

/** Of this process, the second 10,000 above the first. */
async function twoUdpPorts(): Promise<[number, number]> {
  for (let first = 20_000; ; first++) {
    const sockets = [createSocket('udp4'), createSocket('udp4')] as const;
    opened.push(...sockets);
    const areBound = sockets.map(
      (socket, i) =>
        new Promise<boolean>((resolve) => {
          socket.once('error', () => resolve(false));
          socket.bind(first + 10_000 * i, '127.0.0.1', () => resolve(true));
        }),
    );
    if (!(await Promise.all(areBound)).includes(false)) return [first, first + 10_000];
  }
}

/** A web server of this process, which is no daemon. */
async function holdHttp(): Promise<number> {
  const server: Server = createServer((_, response) => response.end('hello'));
  opened.push({ close: () => server.closeAllConnections() }, server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

describe('without a daemon', () => {
  it('says how one is started, where nobody holds its ports', async () => {
    const endpoint = `http://127.0.0.1:${await closedPort()}`;
    const env = { CLOUDMAPD_DNS: `127.0.0.1:${await closedPort()}`, CLOUDMAPD_HTTP: '127.0.0.1:0' };
    const { code, of, setups } = await examine(endpoint, { env });
    expect(code).toBe(1);
    expect(of('daemon')).toEqual([
      {
        check: 'daemon',
        status: 'problem',
        message: `no cloudmapd answers at ${endpoint}: connect ECONNREFUSED ${new URL(endpoint).host}`,
        mend: [`CLOUDMAPD_HTTP=${new URL(endpoint).host} cloudmapd serve`],
      },
    ]);
    expect(of('port')).toEqual([]);
    expect(setups).toEqual({});
  });

  it('says how one is started at the endpoint, and that line does it', async () => {
    const endpoint = `http://localhost:${await closedPort()}`;
    const dns = `127.0.0.1:${await closedPort()}`;
    const mended = async (env: Readonly<Record<string, string>>) =>
      (await examine(endpoint, { env: { CLOUDMAPD_DNS: dns, ...env } })).of('daemon')[0]?.mend;
    const { port } = new URL(endpoint);
    for (const http of [`127.0.0.1:${port}`, `0.0.0.0:${port}`, `127.0.0.1:0,127.0.0.1:${port}`]) {
      expect(await mended({ CLOUDMAPD_HTTP: http })).toEqual(['cloudmapd serve']);
    }
    const lines = (await mended({ CLOUDMAPD_HTTP: '127.0.0.1:0' })) ?? [];
    expect(lines).toEqual([`CLOUDMAPD_HTTP=127.0.0.1:${port} cloudmapd serve`]);
    await start({ DNS: dns, HTTP: settingIn(lines, 'HTTP') });
    expect((await examine(endpoint)).of('daemon')).toEqual([]);
  });

  it('keeps to the file that it was given', async () => {
    const file = journey.writeFile("my file's.yaml", `dns: 127.0.0.1:${await closedPort()}\n`);
    const endpoint = `http://127.0.0.1:${await closedPort()}`;
    const ended = await runCli(['doctor', '--json', '--endpoint', endpoint, '--config', file]);
    expect(readDiagnosis(ended).of('daemon')[0]?.mend).toEqual([
      `CLOUDMAPD_HTTP=${new URL(endpoint).host} cloudmapd serve --config '${file.replace("'", "'\\''")}'`,
    ]);
  });

  it('says who answers in its place', async () => {
    const port = await holdHttp();
    const { of } = await examine(`http://127.0.0.1:${port}`, { env: { CLOUDMAPD_HTTP: `127.0.0.1:${port}` } });
    expect(of('daemon')).toMatchObject([
      {
        status: 'problem',
        message: expect.stringMatching(`something else answers \\(.*\\); .*\\(pid ${process.pid}\\) holds the port`),
        mend: [`kill ${process.pid}`],
      },
    ]);
    // Once is enough.
    expect(of('port')).toEqual([]);
  });

  it('says who holds a port that it would have, and with the line that it gives it starts', async () => {
    const port = await holdUdp();
    const env = { CLOUDMAPD_DNS: `127.0.0.1:${port}`, CLOUDMAPD_HTTP: '127.0.0.1:0' };
    const { of } = await examine(`http://127.0.0.1:${await closedPort()}`, { env });
    const [finding] = of('port');
    expect(finding?.message).toMatch(`127.0.0.1:${port} (UDP, CLOUDMAPD_DNS): `);
    expect(finding?.message).toContain(`(pid ${process.pid}) holds 127.0.0.1:${port}`);
    expect(finding?.mend.at(-1)).toBe(`kill ${process.pid}`);
    const line = finding?.mend.find((each) => each.startsWith('CLOUDMAPD_DNS=')) as string;
    expect(line).toMatch(/ cloudmapd serve$/);
    await expectServing(await start({ DNS: settingIn([line], 'DNS') }));
  });

  it('offers a port that is free, where the one that it would offer first is not', async () => {
    const [first, second] = await twoUdpPorts();
    const env = { CLOUDMAPD_DNS: `127.0.0.1:${first}`, CLOUDMAPD_HTTP: '127.0.0.1:0' };
    const { of } = await examine(`http://127.0.0.1:${await closedPort()}`, { env });
    const line = of('port')[0]?.mend.find((each) => each.startsWith('CLOUDMAPD_DNS=')) as string;
    expect(line).not.toContain(`:${second} `);
    await expectServing(await start({ DNS: settingIn([line], 'DNS') }));
  });

  it('sees what a holder of one address is to a wildcard, and offers an address beside it', async () => {
    const port = await holdUdp('127.0.0.53');
    const env = { CLOUDMAPD_DNS: `0.0.0.0:${port}`, CLOUDMAPD_HTTP: '127.0.0.1:0' };
    const api = `127.0.0.1:${await closedPort()}`;
    const { of } = await examine(`http://${api}`, { env });
    const [finding] = of('port');
    expect(finding?.message).toContain(`holds 127.0.0.53:${port}`);
    // With all that it needs to be found at the endpoint.
    expect(finding?.mend).toContain(`CLOUDMAPD_DNS=127.0.0.1:${port} CLOUDMAPD_HTTP=${api} cloudmapd serve`);
    await expectServing(await start({ DNS: `127.0.0.1:${port}`, HTTP: api }));
  });

  it('says which setting would keep it from starting', async () => {
    const { of } = await examine(`http://127.0.0.1:${await closedPort()}`, { env: { CLOUDMAPD_DNS: 'nonsense' } });
    expect(of('daemon').at(-1)?.message).toContain('CLOUDMAPD_DNS');
  });
});

describe('with a daemon', () => {
  it('finds nothing wrong with one that is in order, and prints lines for its namespaces and ports', async () => {
    const daemon = await start();
    await new Api(daemon.endpoint).createNamespace('shop.internal');
    const { findings, problems, setups, of } = await examine(daemon.endpoint);
    const messages = findings.map(({ status, message }) => `${status} ${message}`);
    expect(messages[0]).toMatch(/^ok cloudmapd \S+ \(pid \d+\) at http:\S+ is ready$/);
    expect(messages[1]).toBe(`ok DNS is answered on 127.0.0.1:${daemon.dnsPort}, over UDP and TCP`);
    // Whatever this machine's own nameserver is: of the daemon nothing is wrong.
    expect(findings.filter(({ check, status }) => status === 'problem' && check !== 'nameserver')).toEqual([]);
    expect(problems).toBe(of('nameserver').filter(({ status }) => status === 'problem').length);
    expect(setups.macos).toContain(
      `printf 'nameserver 127.0.0.1\\nport ${daemon.dnsPort}\\n' | sudo tee /etc/resolver/shop.internal`,
    );
    expect(setups.resolved).toContain(`sudo resolvectl dns cloudmap 127.0.0.1:${daemon.dnsPort}`);
    expect(setups.networkmanager?.join()).toContain(`server=/shop.internal/127.0.0.1#${daemon.dnsPort}`);
  });

  it.each([
    ['is silent', () => NEVER, 'does not answer: no reply within 2 s'],
    ['refuses', (query) => [replyTo(query, { rcode: 'REFUSED', records: 0 })], 'answers REFUSED'],
    ['fails', (query) => [replyTo(query, { rcode: 'SERVFAIL', records: 0 })], 'answers SERVFAIL'],
  ] as readonly (readonly [string, Behaviour, string])[])(
    'names an upstream that %s, and the setting without it',
    async (_, behaviour, words) => {
      const [bad, good] = [await open(behaviour), await open(GOOD)];
      const daemon = await start({ UPSTREAMS: `${bad.endpoint},${good.endpoint}` });
      const { of } = await examine(daemon.endpoint);
      const mend = [`CLOUDMAPD_UPSTREAMS=${good.endpoint}`];
      const message = `${bad.endpoint} (CLOUDMAPD_UPSTREAMS) ${words}`;
      expect(of('upstream')).toEqual([{ check: 'upstream', status: 'problem', message, mend }]);
      const mended = await start({ UPSTREAMS: settingIn(mend, 'UPSTREAMS') });
      expect((await examine(mended.endpoint)).of('upstream')).toEqual([]);
    },
  );

  it('names an upstream where nobody listens', async () => {
    const port = await closedPort();
    const daemon = await start({ UPSTREAMS: `127.0.0.1:${port}` });
    expect((await examine(daemon.endpoint)).of('upstream')).toMatchObject([
      { message: `127.0.0.1:${port} (CLOUDMAPD_UPSTREAMS) does not answer: nobody listens there` },
    ]);
  });

  it('notes an upstream that answers over UDP alone', async () => {
    const upstream = await open((query, overTcp) => (overTcp ? [] : [replyTo(query)]));
    const daemon = await start({ UPSTREAMS: upstream.endpoint });
    expect((await examine(daemon.endpoint)).of('upstream')).toMatchObject([
      { status: 'note', message: expect.stringContaining('over TCP, which long answers need, does not answer') },
    ]);
  });

  it('names an upstream that leads back, and the setting without it is in order', async () => {
    const port = await closedPort();
    const [loop, good] = [await open(relaying('127.0.0.1', port), true), await open(GOOD)];
    const settings = { DNS: `127.0.0.1:${port}`, UPSTREAMS: `${loop.endpoint},${good.endpoint}` };
    const daemon = await start(settings);
    await waitFor('the loop to be found', () => (daemon.stderr().includes('leads back') ? true : null));
    const { of } = await examine(daemon.endpoint);
    const [finding] = of('loop');
    expect(of('loop')).toHaveLength(1);
    expect(finding?.message).toBe(`${loop.endpoint} (CLOUDMAPD_UPSTREAMS) leads back to the daemon, and is not asked`);
    expect(settingIn(finding?.mend ?? [], 'UPSTREAMS')).toBe(good.endpoint);
    await daemon.stop('SIGKILL');
    const mended = await start({ ...settings, UPSTREAMS: settingIn(finding?.mend ?? [], 'UPSTREAMS') });
    const second = await examine(mended.endpoint);
    expect([...second.of('loop'), ...second.of('upstream')]).toEqual([]);
  });

  it('names two daemons that ask each other, at both', async () => {
    const port = await closedPort();
    const first = await start({ UPSTREAMS: `127.0.0.1:${port}` });
    const second = await start({ DNS: `127.0.0.1:${port}`, UPSTREAMS: `127.0.0.1:${first.dnsPort}` });
    await waitFor('the loop to be found', () => (second.stderr().includes('leads back') ? true : null));
    expect((await examine(second.endpoint)).of('loop')).toMatchObject([
      {
        message: `127.0.0.1:${first.dnsPort} (CLOUDMAPD_UPSTREAMS) leads back to the daemon, and is not asked`,
        mend: ['CLOUDMAPD_UPSTREAMS=none'],
      },
    ]);
  });

  it('names an upstream that is the daemon itself, and a rule that leads back, with the rules that are left', async () => {
    const port = await closedPort();
    const [loop, good] = [await open(relaying('127.0.0.1', port), true), await open(GOOD)];
    const daemon = await start({
      DNS: `127.0.0.1:${port}`,
      UPSTREAMS: `127.0.0.1:${port},${good.endpoint}`,
      FORWARD: `corp.example=${loop.endpoint} ${good.endpoint},consul=${good.endpoint}`,
    });
    await waitFor('the loop to be found', () => (daemon.stderr().includes('leads back') ? true : null));
    const { of } = await examine(daemon.endpoint);
    const [self, rule] = of('loop');
    expect(self?.message).toBe(`127.0.0.1:${port} (CLOUDMAPD_UPSTREAMS) is the daemon itself, and is left out`);
    expect(settingIn(self?.mend ?? [], 'UPSTREAMS')).toBe(good.endpoint);
    expect(rule?.message).toContain(`${loop.endpoint} (CLOUDMAPD_FORWARD) leads back`);
    const forward = settingIn(rule?.mend ?? [], 'FORWARD');
    expect(forward).toBe(`corp.example=${good.endpoint},consul=${good.endpoint}`);
    await daemon.stop('SIGKILL');
    const mended = await start({ DNS: `127.0.0.1:${port}`, UPSTREAMS: good.endpoint, FORWARD: forward });
    expect((await examine(mended.endpoint)).of('loop')).toEqual([]);
  });

  it('says that another one answers on the port that the daemon tells', async (context) => {
    // A daemon in a network of its own whose API is reached, and a server here on the port that it names.
    const { NetworkNamespace, requireNamespace } = await import('../support/network-namespace.ts');
    requireNamespace(context);
    const inside = await NetworkNamespace.create();
    opened.push(inside);
    const other = await open((query) => [replyTo(query, { rcode: 'NXDOMAIN', records: 0 })]);
    const daemon = await journey.start({
      settings: { STORE: 'memory', DNS: `127.0.0.1:${other.port}` },
      launcher: inside.launcher,
      reach: (endpoint) => inside.reach(endpoint),
    });
    const { of } = await examine(daemon.endpoint);
    expect(of('listener')).toMatchObject([
      {
        status: 'problem',
        message: `DNS on 127.0.0.1:${other.port} is answered by something else than the daemon`,
        mend: [
          expect.stringMatching('^#'),
          `docker run -p 127.0.0.1:1053:${other.port}/udp -p 127.0.0.1:1053:${other.port}/tcp ...`,
          `cloudmapd doctor --endpoint ${daemon.endpoint} --dns 127.0.0.1:1053`,
        ],
      },
    ]);
    await daemon.stop('SIGKILL');
  });

  it('says that nobody answers on it', async (context) => {
    const { NetworkNamespace, requireNamespace } = await import('../support/network-namespace.ts');
    requireNamespace(context);
    const inside = await NetworkNamespace.create();
    opened.push(inside);
    const port = await closedPort();
    const daemon = await journey.start({
      settings: { STORE: 'memory', DNS: `127.0.0.1:${port}` },
      launcher: inside.launcher,
      reach: (endpoint) => inside.reach(endpoint),
    });
    expect((await examine(daemon.endpoint)).of('listener')[0]?.message).toBe(
      `DNS on 127.0.0.1:${port} does not answer: nobody listens there`,
    );
    await daemon.stop('SIGKILL');
  });
});

it('asks the daemon where it is said to be reached, as through the port that a container publishes', async () => {
  const daemon = await start();
  await new Api(daemon.endpoint).createNamespace('shop.internal');
  const published = await open(relaying('127.0.0.1', daemon.dnsPort));
  const args = ['doctor', '--json', '--endpoint', daemon.endpoint, '--dns'];
  const { findings, setups } = readDiagnosis(await runCli([...args, published.endpoint]));
  expect(findings.find(({ check }) => check === 'listener')).toMatchObject({
    status: 'ok',
    message: `DNS is answered on ${published.endpoint}, over UDP and TCP`,
  });
  expect(setups.resolved).toContain(`sudo resolvectl dns cloudmap ${published.endpoint}`);
  expect(await runCli([...args, 'nonsense'])).toMatchObject({ code: 2, stdout: '' });
});

describe("the SDKs' names", () => {
  it('notes that `data-` in front of an address does not resolve, with what leaves it out', async () => {
    const daemon = await start();
    const [finding] = (await examine(daemon.endpoint)).of('data-prefix');
    expect(finding).toMatchObject({
      status: 'note',
      message: 'SDKs ask data-127.0.0.1 for DiscoverInstances, which does not resolve',
    });
    expect(finding?.mend).toEqual([
      'export AWS_DISABLE_HOST_PREFIX_INJECTION=true',
      '# or, for clients that do not know that:',
      "echo '127.0.0.1 cloudmap data-cloudmap' | sudo tee -a /etc/hosts",
      `# and the endpoint http://cloudmap:${daemon.httpPort}`,
    ]);
  });

  it('is content where the environment or the configuration of AWS leaves it out', async () => {
    const daemon = await start();
    const file = journey.writeFile('config', '[default]\nregion = us-east-1\ndisable_host_prefix_injection = true\n');
    for (const env of [{ AWS_DISABLE_HOST_PREFIX_INJECTION: 'true' }, { AWS_CONFIG_FILE: file }]) {
      expect((await examine(daemon.endpoint, { env })).of('data-prefix')).toEqual([]);
    }
  });

  it('notes an address of the endpoint on which nobody listens', async (context) => {
    requireIpv6(context);
    const daemon = await start();
    const { findings } = await examine(daemon.endpoint.replace('127.0.0.1', 'localhost'));
    const finding = findings.find(({ check }) => check === 'ipv6');
    // Where `localhost` has both addresses.
    const { lookup } = await import('node:dns/promises');
    const addresses = (await lookup('localhost', { all: true })).map(({ address }) => address);
    if (!addresses.includes('::1')) return expect(finding).toBeUndefined();
    expect(finding).toMatchObject({
      status: 'note',
      mend: [
        `CLOUDMAPD_HTTP=127.0.0.1:${daemon.httpPort},[::1]:${daemon.httpPort}`,
        `CLOUDMAPD_DNS=127.0.0.1:${daemon.dnsPort},[::1]:${daemon.dnsPort}`,
      ],
    });
  });
});

describe('what it prints', () => {
  it('has a line for each finding under a pipe, what mends it below, and the count at the end', async () => {
    const port = await closedPort();
    const env = { CLOUDMAPD_HTTP: '127.0.0.1:0', CLOUDMAPD_DNS: '127.0.0.1:0' };
    const { code, stdout, stderr } = await runCli(['doctor', '--endpoint', `http://127.0.0.1:${port}`], { env });
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines.slice(0, 2)).toEqual([
      `problem  no cloudmapd answers at http://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      `           CLOUDMAPD_HTTP=127.0.0.1:${port} cloudmapd serve`,
    ]);
    expect(lines.slice(-3)).toEqual(['', '1 problem', '']);
  });

  it('is coloured on a terminal', async (context) => {
    requireTerminal(context);
    const env = { CLOUDMAPD_HTTP: '127.0.0.1:0', CLOUDMAPD_DNS: '127.0.0.1:0' };
    const args = ['doctor', '--endpoint', `http://127.0.0.1:${await closedPort()}`];
    const { code, screen } = await runInTerminal(args, { env });
    expect(code).toBe(1);
    expect(screen).toContain('\u001b[31mproblem\u001b[39m  no cloudmapd answers');
    expect((await runInTerminal(args, { env: { ...env, NO_COLOR: '1' } })).screen).not.toContain('\u001b[');
  });

  it('refuses wrong usage', async () => {
    expect(await runCli(['doctor', '--endpoint', 'nonsense'])).toMatchObject({ code: 2, stdout: '' });
    expect(await runCli(['doctor', 'too', 'much'])).toMatchObject({ code: 2, stdout: '' });
  });
});
