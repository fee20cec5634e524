/**
 * The entry of an answering thread: its own sockets, its own copy of the compiled answers, told of changes by the
 * main thread and acknowledging each. It knows nothing of the registry, the API or the store.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { createRandom } from '../answers/selection.ts';
import type { FromThread, ListenAddress, ThreadOptions, ToThread } from '../answers/thread-protocol.ts';
import { ZoneSet } from '../answers/zone-set.ts';
import { Resolver } from '../resolver/resolver.ts';
import { QueryCounters } from '../telemetry/query-counters.ts';
import { Clients } from './clients.ts';
import { FaultTable } from './faults.ts';
import { isWildcardAddress } from './local-address.ts';
import { holdTcp, insist } from './port-claim.ts';
import { QueryShow } from './query-show.ts';
import { createRelay } from './relay.ts';
import { Responder } from './respond.ts';
import { listenTcp, TcpConnections, type TcpListener } from './tcp.ts';
import { Trials } from './trial.ts';
import type { ListenUdp, UdpListener } from './udp.ts';
import { chooseUdpSockets, type UdpSockets } from './udp-sockets.ts';
import { listenUdpWildcard } from './udp-wildcard.ts';

/** How often another port is tried when the one that UDP was given for 0 is taken for TCP. */
const PORT_ATTEMPTS = 20;
/** At the end, how long upstreams are waited for. */
const DRAIN_MS = 500;
const DRAIN_POLL_MS = 10;

interface Closable {
  close(): Promise<void>;
}

const port = parentPort;
if (port === null) throw new Error('dns/thread.ts runs as a worker thread only');
const tell = (message: FromThread): void => port.postMessage(message);

const options = workerData as ThreadOptions;
const zones = new ZoneSet();
const locals = new ZoneSet();
locals.apply(options.localNames);
const resolver = new Resolver(
  options.forwarding,
  {
    onLoop: ({ address, port }, names, isLoop) => tell({ kind: 'loop', upstream: { address, port }, names, isLoop }),
    onFigures: (figures) => tell({ kind: 'figures', sequence: 0, figures }),
  },
  options.siblings && { ...options.siblings, onProbe: (nonce) => tell({ kind: 'probe-heard', nonce }) },
);
const faults = new FaultTable();
const responder = new Responder({
  zones,
  locals,
  random: createRandom(options.seed),
  resolver,
  tails: options.localTails,
  maxTtlSeconds: options.maxTtlSeconds,
  faults,
  counters: new QueryCounters(options.counters),
});
const relay = createRelay(responder, resolver);
const clients = new Clients(options.clients);
const trials = new Trials(zones, locals, resolver, clients, options);
const connections = new TcpConnections();
const listeners: Closable[] = [];
const show = new QueryShow(tell);

port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'delta':
      zones.apply(message.delta);
      void acknowledge(message.sequence);
      break;
    case 'local-names':
      // They are looked into before what upstreams have said, so that nothing of that has to be forgotten.
      locals.apply(message.delta);
      tell({ kind: 'ack', sequence: message.sequence });
      break;
    case 'serve':
      resolver.serve();
      break;
    case 'upstreams':
      resolver.setUpstreams(message.upstreams, message.which);
      break;
    case 'flush':
      tell({ kind: 'flushed', sequence: message.sequence, count: resolver.flush(message.name, message.isBelow) });
      break;
    case 'try':
      trials.run(message.trial, (trial) => tell({ kind: 'tried', sequence: message.sequence, trial }));
      break;
    case 'faults':
      for (const table of [faults, trials.faults]) table.set(message.faults, options.seed);
      if (faults.size === 0) relay.release();
      tell({ kind: 'ack', sequence: message.sequence });
      break;
    case 'reset':
      responder.drawBy(createRandom(options.seed));
      tell({ kind: 'flushed', sequence: message.sequence, count: resolver.reset() });
      break;
    case 'probe-heard':
      resolver.loops.heard(message.nonce);
      break;
    case 'watch':
      show.every = message.every;
      responder.meter.onlooker = message.every === 0 ? null : show;
      tell({ kind: 'ack', sequence: message.sequence });
      break;
    case 'queries-taken':
      show.taken();
      break;
    case 'figures':
      tell({ kind: 'figures', sequence: message.sequence, figures: resolver.figures });
      break;
    case 'close':
      void close();
  }
});

/** Whose siblings answer meanwhile takes no query before it can. */
const bindsWhenFilled = options.sharing === 'join';
let binding: Promise<void> | null = null;
const sockets = await chooseSockets();
if (sockets !== null && bindsWhenFilled) tellBound(sockets, [], []);
else if (sockets !== null) await bindAll(sockets);

async function acknowledge(sequence: number): Promise<void> {
  if (bindsWhenFilled && zones.isFilled && sockets !== null) {
    binding ??= bindAll(sockets);
    await binding;
  }
  tell({ kind: 'ack', sequence });
}

async function chooseSockets(): Promise<UdpSockets | null> {
  try {
    return await chooseUdpSockets(options.sockets);
  } catch (error) {
    tell({ kind: 'sockets-failed', message: (error as Error).message });
    return null;
  }
}

function tellBound({ kind, plainReason }: UdpSockets, addresses: ListenAddress[], skipped: ListenAddress[]): void {
  tell({ kind: 'bound', addresses, skipped, sockets: kind, plainReason });
}

async function bindAll(sockets: UdpSockets): Promise<void> {
  const addresses: ListenAddress[] = [];
  const skipped: ListenAddress[] = [];
  for (const wanted of options.listen) {
    const result = await bind(wanted, sockets.listen);
    if (result === 'no-ipv6') skipped.push(wanted);
    else if (result !== 'failed') addresses.push(result);
    else if (bindsWhenFilled) throw new Error(`${wanted.address} port ${wanted.port} could not be bound`);
    else return;
  }
  if (!bindsWhenFilled) tellBound(sockets, addresses, skipped);
}

async function bind(wanted: ListenAddress, listenUdp: ListenUdp): Promise<ListenAddress | 'no-ipv6' | 'failed'> {
  const { address } = wanted;
  for (let attempt = 1; ; attempt++) {
    let transport: 'UDP' | 'TCP' = 'UDP';
    const opened = new Set<Closable>();
    const open = async <T extends Closable>(of: 'UDP' | 'TCP', listen: () => Promise<T>): Promise<T> => {
      transport = of;
      const listener = await listen();
      opened.add(listener);
      return listener;
    };
    const letGo = (listener: Closable): Promise<void> => {
      opened.delete(listener);
      return listener.close();
    };
    try {
      const isJoining = options.sharing === 'join';
      const udp = await open('UDP', () => bindUdp(wanted, listenUdp, isJoining));
      const { port } = udp;
      if (options.sharing === 'first') {
        // See `port-claim.ts`.
        const tcp = await open('TCP', () => holdTcp(address, port));
        await letGo(udp);
        await open('UDP', () => insist(() => bindUdp({ address, port }, listenUdp, true)));
        await letGo(tcp);
        await open('TCP', () => insist(() => bindTcp({ address, port }, true)));
      } else {
        await open('TCP', () => bindTcp({ address, port }, isJoining));
      }
      listeners.push(...opened);
      return { address, port };
    } catch (error) {
      for (const listener of opened) await listener.close();
      const { code = '', message } = error as NodeJS.ErrnoException;
      const hasNoIpv6 = code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
      if (address === '::' && hasNoIpv6) return 'no-ipv6';
      if (code === 'EADDRINUSE' && wanted.port === 0 && attempt < PORT_ATTEMPTS) continue;
      tell({ kind: 'bind-failed', address: wanted, transport, code, message });
      return 'failed';
    }
  }
}

function bindUdp({ address, port }: ListenAddress, listenUdp: ListenUdp, isShared: boolean): Promise<UdpListener> {
  if (!isWildcardAddress(address)) return listenUdp(address, port, responder, relay, clients, isShared);
  return listenUdpWildcard(
    address,
    port,
    responder,
    relay,
    clients,
    {
      onAddress: (own, error) => tell({ kind: 'address', at: { address: own, port }, error: error?.message ?? null }),
    },
    options.isReplacement,
    (...args) => listenUdp(args[0], args[1], args[2], args[3], args[4], isShared),
  );
}

function bindTcp({ address, port }: ListenAddress, isShared: boolean): Promise<TcpListener> {
  return listenTcp(address, port, responder, relay, clients, connections, isShared);
}

async function close(): Promise<void> {
  // Who waits for upstreams is answered, though perhaps with SERVFAIL.
  const deadlineMs = performance.now() + DRAIN_MS;
  while (resolver.isBusy && performance.now() < deadlineMs) await delay(DRAIN_POLL_MS);
  resolver.giveUp();
  // Replies go out at the end of the event loop's turn.
  await delay(1);
  const closing = listeners.map((listener) => listener.close());
  connections.closeAll();
  resolver.close();
  await Promise.all(closing);
  tell({ kind: 'closed' });
  port?.close();
}
