/** A wildcard listener whose place is taken by another one, as when an answering thread is replaced. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { expect, it } from 'vitest';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { Responder } from '../../src/dns/respond.ts';
import { listenUdpWildcard } from '../../src/dns/udp-wildcard.ts';
import { LOCAL_CLIENTS, outside } from '../support/resolving.ts';
import { UDP_LISTENERS } from '../support/udp-listeners.ts';

it.for(UDP_LISTENERS)(
  'on %s sockets takes what it can get where it replaces another, and nothing less than all at a start',
  async ([, listenUdp], context) => {
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const other = own.find(({ family, address }) => family === 'IPv4' && address !== '127.0.0.1');
    if (other === undefined) return context.skip('this machine has one IPv4 address alone');
    const responder = new Responder({ zones: new ZoneSet(), random: () => 0, ...outside() });
    const relay = { relay: () => undefined, release: () => undefined };
    const told: string[] = [];
    const events = { onAddress: (address: string) => void told.push(address) };
    const listen = (port: number, isReplacement: boolean) =>
      listenUdpWildcard('0.0.0.0', port, responder, relay, LOCAL_CLIENTS, events, isReplacement, listenUdp);

    const stranger = createSocket('udp4').bind(0, other.address);
    await once(stranger, 'listening');
    const { port } = stranger.address();
    await expect(listen(port, false)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const listener = await listen(port, true);
    expect(listener.port).toBe(port);
    await listener.close();
    stranger.close();
  },
);
