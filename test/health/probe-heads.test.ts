/** Heads of responses that real servers send and strict parsers refuse: what counts is the status (Route 53). */
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { probe } from '../../src/health/probe.ts';

async function probeHead(head: string) {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end(head));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const target = { type: 'HTTP', address: '127.0.0.1', port, host: 'web.corp.internal', path: '/' } as const;
  const timeouts = { tcpMs: 10_000, connectMs: 10_000, responseMs: 10_000 };
  try {
    return await probe(target, timeouts, new AbortController().signal);
  } finally {
    server.close();
  }
}

it.each([
  ['of 20 kB', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(20_000)}\r\nContent-Length: 0\r\n\r\n`],
  ['with bare line feeds', 'HTTP/1.1 204 No Content\nA: b\n\n'],
  [
    'with two ways to say how long it is',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
])('a head %s passes', async (_, head) => {
  expect(await probeHead(head)).toEqual({ kind: 'passed' });
});

it.each([
  ['503 in a head of 20 kB', `HTTP/1.1 503 No\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, /^HTTP 503$/],
  ['a status line and no more', 'HTTP/1.1 200 OK\r\n', /ECONNRESET/],
])('%s fails', async (_, head, reason) => {
  expect(await probeHead(head)).toMatchObject({ kind: 'failed', reason: expect.stringMatching(reason) });
});
