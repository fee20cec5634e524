/**
 * A registry under full load, an fsync and a garbage collection have one thing in common: the main thread does nothing
 * else meanwhile. Here it waits for the answers, and lets nothing run until they are there.
 */
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { deltaOf, rrset } from '../support/answering.ts';
import { buildQuery } from '../support/dns.ts';
import { startPublisher } from '../support/publishing.ts';

const QUERIES = 200;
const WAIT_MS = 20_000;

/** Asks one question after the other, over UDP and TCP in turn, and wakes the main thread behind the last answer. */
const CLIENT = `
  const { createSocket } = require('node:dgram');
  const { connect } = require('node:net');
  const { workerData: { port, query, answered, queries } } = require('node:worker_threads');
  const udp = createSocket('udp4');
  const tcp = connect(port, '127.0.0.1');
  let unread = Buffer.alloc(0);
  const ask = () => {
    const count = Atomics.load(answered, 0);
    if (count === queries) { udp.close(); tcp.end(); Atomics.store(answered, 1, 1); Atomics.notify(answered, 1); return; }
    if (count % 2 === 0) udp.send(query, port, '127.0.0.1');
    else tcp.write(Buffer.concat([Buffer.from([0, query.length]), query]));
  };
  const read = (reply) => {
    if (reply.readUInt16BE(6) !== 1) throw new Error('no answer');
    Atomics.add(answered, 0, 1);
    ask();
  };
  udp.on('message', read);
  tcp.on('data', (chunk) => {
    unread = Buffer.concat([unread, chunk]);
    if (unread.length < 2 || unread.length < 2 + unread.readUInt16BE(0)) return;
    const reply = unread.subarray(2);
    unread = Buffer.alloc(0);
    read(reply);
  });
  // Once the main thread says that it waits.
  Atomics.wait(answered, 2, 0);
  ask();
`;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

it.each(['batched', 'plain'] as const)(
  'answers go on while the main thread does nothing (%s sockets)',
  async (sockets) => {
    const publisher = await startPublisher({ sockets });
    closers.push(() => publisher.close());
    await publisher.fill(() => [deltaOf({ 'corp.internal': { web: [rrset(['60 IN A 10.0.0.1'])] } })]);
    // How many were answered; whether all were; whether the main thread waits.
    const answered = new Int32Array(new SharedArrayBuffer(12));
    const port = publisher.addresses[0]?.port as number;
    const query = buildQuery('web.corp.internal', 'A');
    const client = new Worker(CLIENT, { eval: true, workerData: { port, query, answered, queries: QUERIES } });
    closers.push(() => client.terminate());
    await new Promise((resolve) => client.once('online', resolve));

    Atomics.store(answered, 2, 1);
    Atomics.notify(answered, 2);
    const end = Atomics.wait(answered, 1, 0, WAIT_MS);
    expect([Atomics.load(answered, 0), end]).toEqual([QUERIES, 'ok']);
  },
);
