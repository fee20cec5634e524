/** Whether a process that is starting answers by now, asked again and again without keeping it from its work. */
import type { ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { buildQuery } from '../support/dns.ts';
import { sleep } from './support.ts';

const PAUSE_MS = 2;
const TIMEOUT_MS = 180_000;

/** Until a GET is answered with 200. @throws Error where the process ends before, or it takes three minutes */
export async function untilHttpOk(child: ChildProcess, port: number, path: string): Promise<void> {
  await until(child, () => isHttpOk(port, path));
}

/** Until each name has been answered with so many A records. */
export async function untilDnsAnswers(
  child: ChildProcess,
  port: number,
  names: readonly string[],
  records: number,
): Promise<void> {
  const socket = createSocket('udp4');
  const left = new Set(names.keys());
  socket.on('message', (reply) => {
    if ((reply.readUInt8(3) & 15) === 0 && reply.readUInt16BE(6) === records) left.delete(reply.readUInt16BE(0));
  });
  // Nobody may be listening yet.
  socket.on('error', () => undefined);
  try {
    await until(child, async () => {
      for (const id of left) socket.send(buildQuery(names[id] as string, 'A', { id }), port, '127.0.0.1');
      return left.size === 0;
    });
  } finally {
    socket.close();
  }
}

async function until(child: ChildProcess, isThere: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!(await isThere())) {
    if (child.exitCode !== null) throw new Error(`the process ended with ${child.exitCode}`);
    if (performance.now() > deadline) throw new Error('the process does not come to answer');
    await sleep(PAUSE_MS);
  }
}

function isHttpOk(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`);
    });
    socket.once('data', (chunk) => {
      resolve(/^HTTP\/1\.\d 200 /.test(chunk.toString('latin1')));
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
