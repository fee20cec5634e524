/**
 * `propagation`: whether a change is in DNS when its call returns. Each lane has a service of its own with one instance
 * and asks DNS in the very turn in which it read the reply: what that query finds is what counts. Nine in ten calls
 * register the instance anew with another address, the tenth deregisters it. Each lane asks from a socket of its own, so
 * that every answering thread has its turn.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { buildQuery } from '../support/dns.ts';
import { type Caller, callerOf, inParallel } from './calls.ts';
import { startDaemon } from './peers/cloudmapd.ts';
import { type BenchOptions, CLOUDMAPD, type Row, type Section } from './report.ts';
import { folder } from './support.ts';

const LANES = 32;
const APEX = 'bench.internal';
const REPLY_TIMEOUT_MS = 2000;

interface Lane {
  readonly serviceId: string;
  readonly socket: Socket;
  readonly query: Buffer;
  tries: number;
}

interface Counts {
  late: number;
  unanswered: number;
}

export async function benchPropagation({ isQuick }: BenchOptions): Promise<Section[]> {
  const tries = isQuick ? 5000 : 100_000;
  const { http, port } = await startDaemon({ STORE: 'sqlite', DATA_DIR: join(folder, 'propagation') });
  const caller = callerOf(http, LANES);
  const namespace = await caller.createNamespace(APEX);
  const lanes = await Promise.all(Array.from({ length: LANES }, (_, i) => openLane(caller, namespace, i, port)));
  const counts: Counts = { late: 0, unanswered: 0 };
  const startedAt = performance.now();
  await inParallel(tries, LANES, (_, lane) => attempt(caller, lanes[lane] as Lane, counts));
  const seconds = (performance.now() - startedAt) / 1000;
  for (const { socket } of lanes) socket.close();
  caller.close();

  const row = (name: string, unit: string, value: number, atMost: number | null): Row => ({
    name,
    unit,
    series: { [CLOUDMAPD]: [value] },
    target: atMost === null ? null : { atMost },
  });
  const rows = [
    row('late', `of ${tries}`, counts.late, 0),
    row('DNS did not answer', `of ${tries}`, counts.unanswered, 0),
    row('tries', '/s', tries / seconds, null),
  ];
  const title = `${tries} calls of RegisterInstance and DeregisterInstance over ${LANES} connections, DNS asked when each returns`;
  return [{ bench: 'propagation', title, rows, notes: [] }];
}

async function openLane(caller: Caller, namespace: string, i: number, port: number): Promise<Lane> {
  const serviceId = await caller.createService(namespace, `s${i}`);
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return { serviceId, socket, query: Buffer.from(buildQuery(`s${i}.${APEX}`, 'A')), tries: 0 };
}

async function attempt(caller: Caller, lane: Lane, counts: Counts): Promise<void> {
  const n = lane.tries++;
  // Never the one before.
  const address = n % 10 === 9 ? null : [10, (n >> 16) & 255, (n >> 8) & 255, n & 255];
  if (address === null) await caller.call('DeregisterInstance', { ServiceId: lane.serviceId, InstanceId: 'i' });
  else await caller.register(lane.serviceId, 'i', address.join('.'));
  const reply = await ask(lane, n & 0xffff);
  if (reply === null) counts.unanswered++;
  else if (!isOf(reply, address)) counts.late++;
}

function ask({ socket, query }: Lane, id: number): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const finish = (reply: Buffer | null): void => {
      clearTimeout(timer);
      socket.removeListener('message', read);
      resolve(reply);
    };
    const read = (reply: Buffer): void => {
      // One of an earlier query, that came too late.
      if (reply.readUInt16BE(0) === id) finish(reply);
    };
    const timer = setTimeout(() => finish(null), REPLY_TIMEOUT_MS);
    query.writeUInt16BE(id);
    socket.on('message', read);
    socket.send(query);
  });
}

/** @param address of the one record that it is to have; null: none */
function isOf(reply: Buffer, address: readonly number[] | null): boolean {
  const answers = reply.readUInt16BE(6);
  if (address === null) return answers === 0;
  // The address is the last thing in a reply without OPT.
  return answers === 1 && reply.subarray(-4).equals(Buffer.from(address));
}
