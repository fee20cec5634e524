import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRelay } from '../../src/dns/relay.ts';
import { listenTcp, TcpConnections } from '../../src/dns/tcp.ts';
import { listenUdp } from '../../src/dns/udp.ts';
import { queryBytes } from '../support/message.ts';
import { LOCAL_CLIENTS, makeResolver } from '../support/resolving.ts';
import { framed, TcpClient } from '../support/tcp-client.ts';
import type { RfcCase } from './rfc-cases/case.ts';
import { expectReplies } from './rfc-cases/expect.ts';
import { RFC_CASES } from './rfc-cases.ts';
import { rfcContent } from './rfc-content.ts';

type Exchange = (query: Uint8Array) => Promise<Buffer[]>;

// Sent behind each case's query: what has come before its reply is all that comes.
const LAST_ID = 0xfffe;
const LAST = queryBytes('v4.corp.internal A', { id: LAST_ID });

let udpPort = 0;
let tcpPort = 0;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  const { responder } = rfcContent().asker;
  const relay = createRelay(responder, makeResolver());
  const connections = new TcpConnections();
  const udp = await listenUdp('127.0.0.1', 0, responder, relay, LOCAL_CLIENTS);
  const tcp = await listenTcp('127.0.0.1', 0, responder, relay, LOCAL_CLIENTS, connections);
  udpPort = udp.port;
  tcpPort = tcp.port;
  closing.push(
    () => udp.close(),
    () => {
      const closed = tcp.close();
      connections.closeAll();
      return closed;
    },
  );
});

afterAll(async () => {
  for (const close of closing) await close();
});

const overUdp: Exchange = (query) =>
  new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const replies: Buffer[] = [];
    socket.once('error', reject);
    socket.on('message', (reply) => {
      if (reply.readUInt16BE(0) !== LAST_ID) {
        replies.push(reply);
        return;
      }
      socket.close();
      resolve(replies);
    });
    for (const each of [query, LAST]) socket.send(each, udpPort, '127.0.0.1');
  });

const overTcp: Exchange = async (query) => {
  const client = await TcpClient.open(tcpPort);
  const replies: Buffer[] = [];
  client.socket.write(framed(query, LAST));
  do replies.push(...(await client.take(1)));
  while (replies.at(-1)?.readUInt16BE(0) !== LAST_ID);
  client.socket.destroy();
  return replies.slice(0, -1);
};

async function check(each: RfcCase, exchange: Exchange, maxBytes: number): Promise<void> {
  expectReplies(await exchange(each.query), each, maxBytes);
}

const titled = (transport: string) =>
  RFC_CASES.filter(({ over = transport }) => over === transport).map(
    (each) => [`${each.source}: ${each.behaviour}`, each] as const,
  );

describe('the RFCs over UDP', () => {
  it.each(titled('UDP'))('%s', (_, each) => check(each, overUdp, 1232));
});

describe('the RFCs over TCP', () => {
  it.each(titled('TCP'))('%s', (_, each) => check(each, overTcp, 65_535));
});

describe('the table', () => {
  it('has at least 120 cases, each once and each with RFC and section', () => {
    expect(RFC_CASES.length).toBeGreaterThanOrEqual(120);
    const titles = RFC_CASES.map(({ source, behaviour, over }) => `${source} ${behaviour} ${over}`);
    expect(titles.filter((title, i) => titles.indexOf(title) !== i)).toEqual([]);
    // RFC 2782 has headings without numbers.
    const isSource = (source: string): boolean => /^RFC \d{4} s\d+(\.\d+)*$|^RFC 2782 [A-Z]/.test(source);
    expect(RFC_CASES.map(({ source }) => source).filter((source) => !isSource(source))).toEqual([]);
  });
});
