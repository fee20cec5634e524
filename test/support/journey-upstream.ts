/** A DNS server on loopback that answers what a test tells it to, and notes what it was asked. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** @returns the reply, or null: say nothing */
export type UpstreamAnswer = (query: Buffer) => Uint8Array | null;

export interface Upstream {
  readonly port: number;
  /** Whole queries in the order in which they came. */
  readonly askedOverUdp: Buffer[];
  readonly askedOverTcp: Buffer[];
  close(): Promise<void>;
}

/** Without answers it is there and stays silent. */
export async function startUpstream({
  udp,
  tcp,
}: {
  udp?: UpstreamAnswer;
  tcp?: UpstreamAnswer;
} = {}): Promise<Upstream> {
  const askedOverUdp: Buffer[] = [];
  const askedOverTcp: Buffer[] = [];
  const server = createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const query = received.subarray(2, end);
        received = received.subarray(end);
        askedOverTcp.push(query);
        const reply = tcp?.(query) ?? null;
        if (reply !== null) socket.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const socket = createSocket('udp4');
  socket.on('message', (query, client) => {
    askedOverUdp.push(query);
    const reply = udp?.(query) ?? null;
    if (reply !== null) socket.send(reply, client.port, client.address);
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port,
    askedOverUdp,
    askedOverTcp,
    close: async () => {
      await new Promise<void>((resolve) => socket.close(resolve));
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The reply to a query without EDNS: RA set, A records of 30 seconds at the QNAME. */
export function replyTo(query: Buffer, addresses: readonly string[], { tc = false } = {}): Buffer {
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(0x8000 | (header.readUInt16BE(2) & 0x0100) | (tc ? 0x0200 : 0) | 0x0080, 2);
  header.writeUInt16BE(addresses.length, 6);
  header.writeUInt16BE(0, 10);
  const questionEnd = query.indexOf(0, 12) + 5;
  const records = addresses.map((address) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, ...address.split('.').map(Number)]),
  );
  return Buffer.concat([header, query.subarray(12, questionEnd), ...records]);
}
