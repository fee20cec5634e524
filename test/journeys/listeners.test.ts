/** Where the daemon listens, and what it prints of that at start. */
import { describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { askTcp, askUdp, buildQuery, dig, readAnswer } from '../support/dns.ts';
import {
  expectRefusal,
  requireIpv6,
  requireTool,
  runCommand,
  setUpJourney,
  shareDaemon,
} from '../support/journey-tools.ts';

const journey = setUpJourney();
const EXAMPLE = new URL('../../config/cloudmapd.example.yaml', import.meta.url).pathname;

describe('listeners', () => {
  it('can be IPv6 alone', async (context) => {
    requireIpv6(context);
    const { endpoint, httpPort, dnsPort } = await journey.start({
      settings: { HTTP: '[::1]:0', DNS: '[::1]:0', CONFIG: EXAMPLE },
    });
    expect(endpoint).toBe(`http://[::1]:${httpPort}`);
    const ready = (await (await fetch(`${endpoint}/readyz`)).json()) as { http: string[]; dns: string[] };
    expect(ready).toMatchObject({ http: [`[::1]:${httpPort}`], dns: [`[::1]:${dnsPort}`] });
    const query = buildQuery('shop.demo.internal', 'A');
    const replies = [await askUdp(dnsPort, query, { address: '::1' }), ...(await askTcp(dnsPort, [query], '::1'))];
    for (const reply of replies) expect(readAnswer(reply as Buffer)).toMatchObject({ rcode: 'NOERROR', aa: true });
    const ns = await askUdp(dnsPort, buildQuery('ns.demo.internal', 'AAAA'), { address: '::1' });
    expect(readAnswer(ns as Buffer).answer).toEqual([expect.stringMatching(/ AAAA ::1$/)]);
  });

  it('can be several, of both families on one port', async (context) => {
    requireIpv6(context);
    const first = await journey.start();
    const { httpPort, dnsPort } = first;
    await first.stop('SIGTERM');
    const settings = {
      HTTP: `127.0.0.1:${httpPort},[::1]:${httpPort}`,
      DNS: `127.0.0.1:${dnsPort},[::1]:${dnsPort}`,
    };
    await journey.start({ settings });
    for (const host of ['127.0.0.1', '[::1]'])
      expect((await fetch(`http://${host}:${httpPort}/readyz`)).status).toBe(200);
    for (const address of ['127.0.0.1', '::1']) {
      const reply = await askUdp(dnsPort, buildQuery('none.example', 'A'), { address });
      expect(readAnswer(reply as Buffer).rcode).toBe('REFUSED');
    }
  });

  it('can be the wildcard, which the start lines turn into an address that works', async () => {
    const daemon = await journey.start({ settings: { HTTP: '0.0.0.0:0', DNS: '0.0.0.0:0', CONFIG: EXAMPLE } });
    const { httpPort, dnsPort } = daemon;
    const commands = commandsOf(daemon);
    for (const command of commands) expect(command).not.toContain('0.0.0.0');
    expect(commands).toContain(`curl -s http://127.0.0.1:${httpPort}/readyz`);
    expect(await (await fetch(`http://127.0.0.1:${httpPort}/readyz`)).json()).toEqual({
      status: 'ready',
      http: [`0.0.0.0:${httpPort}`],
      dns: [`0.0.0.0:${dnsPort}`],
      sockets: expect.stringMatching(/^(batched|plain)$/),
    });
    expect((await dig(dnsPort, 'web.demo.internal', 'A')).answer).toHaveLength(2);
    const second = await journey.runToEnd({ settings: { DNS: `127.0.0.1:${dnsPort}` } });
    expectRefusal(second, 'CLOUDMAPD_DNS');
  });
});

/** Lines of the start that are commands. */
function commandsOf(daemon: RunningDaemon): string[] {
  return daemon
    .stdout()
    .split('\n')
    .filter((line) => /\b(dig|curl|aws) /.test(line));
}

describe('the example', () => {
  const example = shareDaemon({ settings: { CONFIG: EXAMPLE } });

  it('has probes that say that the process runs, and where it serves', async () => {
    const { endpoint, httpPort, dnsPort } = example();
    const health = await fetch(`${endpoint}/healthz`);
    expect(health.status).toBe(200);
    const ready = await fetch(`${endpoint}/readyz`);
    expect(ready.status).toBe(200);
    expect(ready.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await ready.json()).toEqual({
      status: 'ready',
      http: [`127.0.0.1:${httpPort}`],
      dns: [`127.0.0.1:${dnsPort}`],
      sockets: expect.stringMatching(/^(batched|plain)$/),
    });
  });

  it('has start lines in plain text, each command alone on a line', () => {
    const daemon = example();
    const stdout = daemon.stdout();
    expect(stdout).toMatch(/^[\n\x20-\x7e]+\n$/);
    const commands = commandsOf(daemon);
    for (const command of commands) expect(command).toMatch(/^(dig|curl|aws) /);
    for (const tool of ['dig', 'curl', 'aws']) {
      expect(
        commands.some((command) => command.startsWith(`${tool} `)),
        tool,
      ).toBe(true);
    }
    for (const command of commands.filter((line) => line.startsWith('aws '))) {
      expect(command).toContain(`--endpoint-url ${daemon.endpoint}`);
      expect(command).toMatch(/ --region us-east-1( |$)/);
      expect(command).toMatch(/ --no-sign-request( |$)/);
      expect(command).not.toMatch(/discover-instances/);
    }
    expect(stdout).toContain('2 namespaces, 4 services, 5 instances');
  });

  it('has dig lines that work as they stand', async (context) => {
    requireTool(context, 'dig');
    const lines = commandsOf(example()).filter((line) => line.startsWith('dig '));
    for (const line of lines) {
      const { code, stdout, stderr } = await runCommand('bash', ['-c', line]);
      expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' });
      expect(stdout).toMatch(/status: NOERROR.*ANSWER: [1-9]/s);
      expect(stdout).not.toMatch(/Warning|malformed/);
    }
  });

  it('has curl lines that work as they stand', async (context) => {
    requireTool(context, 'curl');
    const lines = commandsOf(example()).filter((line) => line.startsWith('curl '));
    for (const line of lines) {
      const { code, stdout, stderr } = await runCommand('bash', ['-c', line]);
      expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' });
      expect(JSON.parse(stdout)).not.toHaveProperty('__type');
    }
  });

  it('has aws lines that work as they stand', async (context) => {
    requireTool(context, 'aws');
    const lines = commandsOf(example()).filter((line) => line.startsWith('aws '));
    // All at once: the command takes seconds to start.
    const ends = await Promise.all(lines.map((line) => runCommand('bash', ['-c', `${line} --output json`])));
    for (const [i, { code, stdout, stderr }] of ends.entries()) {
      expect({ line: lines[i], code, stderr }).toEqual({ line: lines[i], code: 0, stderr: '' });
      const lists = Object.values(JSON.parse(stdout) as object).filter((value) => Array.isArray(value));
      expect(lists).toEqual([expect.arrayContaining([expect.anything()])]);
    }
  });
});
