/** How the daemon stops: in time, with what was under way finished, and nothing held. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ListNamespacesCommand } from '@aws-sdk/client-servicediscovery';
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildQuery } from '../support/dns.ts';
import { type Behaviour, FakeUpstream, NEVER, replyTo } from '../support/fake-upstream.ts';
import { ask } from '../support/forwarding.ts';
import { Api } from '../support/journey-api.ts';
import { expectServing, setUpJourney, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();
const STOP_WITHIN_MS = 5000;
/** As one that is far away. */
const soon: Behaviour = (query) => new Promise((resolve) => setTimeout(() => resolve([replyTo(query)]), 300));

describe('stopping', () => {
  const head = (length: number): string =>
    [
      'POST / HTTP/1.1',
      'Host: localhost',
      'X-Amz-Target: Route53AutoNaming_v20170314.CreateHttpNamespace',
      'Content-Type: application/x-amz-json-1.1',
      `Content-Length: ${length}`,
      '',
      '',
    ].join('\r\n');

  /** A connection on which one request has been answered. */
  async function openIdleHttp(port: number): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'data');
    return socket;
  }

  async function openIdleDns(port: number): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const query = buildQuery('none.example', 'A');
    socket.write(Buffer.concat([Buffer.from([0, query.length]), query]));
    await once(socket, 'data');
    return socket;
  }

  /** Sends a part of a request. The reply, once it has come and the connection has ended, is `reply`. */
  async function openRequest(
    port: number,
    body: string,
    sentLength: number,
  ): Promise<{ socket: Socket; reply: Promise<string> }> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    const reply = new Promise<string>((resolve) => socket.once('close', () => resolve(received)));
    await new Promise<void>((resolve) => socket.write(head(body.length) + body.slice(0, sentLength), () => resolve()));
    // A request that was sent later and answered: the daemon has read this one's part.
    (await openIdleHttp(port)).destroy();
    return { socket, reply };
  }

  it.each(['SIGTERM', 'SIGINT'] as const)('by %s exits 0 in time, whatever clients hold open', async (signal) => {
    const daemon = await journey.start();
    const sockets = [
      await openIdleHttp(daemon.httpPort),
      await openIdleDns(daemon.dnsPort),
      // It will never be whole.
      (await openRequest(daemon.httpPort, '{"Name":"never"}', 5)).socket,
    ];
    const closed = sockets.map((socket) => once(socket, 'close'));
    const startedAt = performance.now();
    expect(await daemon.stop(signal)).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(STOP_WITHIN_MS);
    await Promise.all(closed);
  });

  it('finishes the request under way, durably, and accepts no other', async () => {
    const dataDir = journey.newPath();
    const daemon = await journey.start({ dataDir });
    const body = '{"Name":"under-way"}';
    const { socket, reply } = await openRequest(daemon.httpPort, body, 8);
    const idle = await openIdleHttp(daemon.httpPort);
    const idleClosed = once(idle, 'close');
    const startedAt = performance.now();
    const exited = daemon.stop('SIGTERM');
    await idleClosed;
    await waitFor('the port to be closed', async () => {
      const probe = connect(daemon.httpPort, '127.0.0.1');
      return Promise.race([
        once(probe, 'connect').then(() => {
          probe.destroy();
          return null;
        }),
        once(probe, 'close').then(() => true),
      ]).catch(() => true);
    });
    socket.write(body.slice(8));
    expect(await reply).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n\{"OperationId":"[^"]+"\}$/s);
    expect(await exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(STOP_WITHIN_MS);

    const { endpoint } = await journey.start({ dataDir });
    const { Namespaces = [] } = await new Api(endpoint).sdk.send(new ListNamespacesCommand({}));
    expect(Namespaces.map(({ Name }) => Name)).toEqual(['under-way']);
  });

  it.each<[string, Behaviour, string, boolean]>([
    ['SERVFAIL, where nobody answers', () => NEVER, 'SERVFAIL RD RA', false],
    ['SERVFAIL over TCP, where nobody answers', () => NEVER, 'SERVFAIL RD RA', true],
    ['the answer that comes soon', soon, 'NOERROR RD RA', false],
    ['the answer that comes soon, over TCP', soon, 'NOERROR RD RA', true],
  ])('tells who waits for an upstream %s', async (_, behaviour, status, overTcp) => {
    const upstream = await FakeUpstream.open(behaviour);
    onTestFinished(() => upstream.close());
    const daemon = await journey.start({ settings: { STORE: 'memory', UPSTREAMS: upstream.endpoint } });
    const waiting = ask(daemon.dnsPort, 'www.example A', { overTcp });
    await waitFor('the query', () => (upstream.timesAsked('www.example') > 0 ? true : null));
    const startedAt = performance.now();
    const exited = daemon.stop('SIGTERM');
    expect((await waiting).status).toBe(status);
    expect(await exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(STOP_WITHIN_MS);
  });

  it('frees the ports and the folder for the next one at once', async () => {
    const dataDir = journey.newPath();
    const first = await journey.start({ dataDir });
    const settings = { HTTP: `127.0.0.1:${first.httpPort}`, DNS: `127.0.0.1:${first.dnsPort}` };
    expect(await first.stop('SIGTERM')).toBe(0);
    await expectServing(await journey.start({ dataDir, settings }));
  });
});
