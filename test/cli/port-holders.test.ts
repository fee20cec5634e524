/** Who holds ports, as /proc of this machine has it, and as one that is made up. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findHolders } from '../../src/cli/doctor/port-holders.ts';
import { requireIpv6, setUpJourney } from '../support/journey-tools.ts';

const journey = setUpJourney();
const opened: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

describe.skipIf(process.platform !== 'linux')('of this machine', () => {
  it.for(['127.0.0.1', '127.0.0.77', '0.0.0.0', '::1', '::'])('finds UDP and TCP on %s', async (address, context) => {
    if (address.includes(':')) requireIpv6(context);
    const udp = createSocket(address.includes(':') ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' });
    const tcp = createServer();
    opened.push(udp, tcp);
    await new Promise<void>((resolve) => udp.bind(0, address, resolve));
    await once(tcp.listen({ host: address, port: 0, ipv6Only: true }), 'listening');
    const ports = [udp.address().port, (tcp.address() as AddressInfo).port];
    const found = findHolders(new Set(ports))?.filter((each) => each.address === address);
    const command = expect.stringContaining(process.argv0.split('/').at(-1) as string);
    const own = { address, process: { pid: process.pid, name: expect.any(String), command } };
    expect(found).toEqual([
      { transport: 'UDP', port: ports[0], ...own },
      { transport: 'TCP', port: ports[1], ...own },
    ]);
  });

  it('takes no connection for a holder, and nothing for one where nobody is', async () => {
    const server = createServer();
    opened.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(client, 'connect');
    expect(findHolders(new Set([client.localPort as number]))).toEqual([]);
    client.destroy();
  });
});

describe('of one that is made up', () => {
  const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const row = (local: string, state: string, inode: number): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000   101        0 ${inode} 2 0000\n`;

  function makeProc(tables: Readonly<Record<string, string>>): string {
    const proc = journey.newPath('proc');
    mkdirSync(join(proc, 'self/net'), { recursive: true });
    for (const [name, rows] of Object.entries(tables)) writeFileSync(join(proc, 'self/net', name), HEAD + rows);
    return proc;
  }

  it('has no process for what is of another user', () => {
    const proc = makeProc({ udp: row('3500007F:0035', '07', 7), tcp: row('3500007F:0035', '0A', 8) });
    expect(findHolders(new Set([53]), proc)).toEqual([
      { transport: 'UDP', address: '127.0.0.53', port: 53, process: null },
      { transport: 'TCP', address: '127.0.0.53', port: 53, process: null },
    ]);
  });

  it("has the process by its descriptor, with its program's name", () => {
    const proc = makeProc({ udp6: row('B80D0120000000000000000001000000:0035', '07', 9) });
    mkdirSync(join(proc, '42/fd'), { recursive: true });
    mkdirSync(join(proc, '43'));
    symlinkSync('socket:[9]', join(proc, '42/fd/3'));
    symlinkSync('/dev/null', join(proc, '42/fd/0'));
    writeFileSync(join(proc, '42/cmdline'), '/usr/sbin/dnsmasq\0-k\0');
    expect(findHolders(new Set([53]), proc)).toEqual([
      {
        transport: 'UDP',
        address: '2001:db8::1',
        port: 53,
        process: { pid: 42, name: 'dnsmasq', command: '/usr/sbin/dnsmasq -k' },
      },
    ]);
  });

  it('leaves out other ports and what takes nothing in', () => {
    const rows = row('0100007F:0035', '01', 7) + row('0100007F:0036', '07', 8);
    expect(findHolders(new Set([53]), makeProc({ udp: rows }))).toEqual([]);
  });

  it('says that it does not know where there is no /proc', () => {
    expect(findHolders(new Set([53]), journey.newPath('none'))).toBeNull();
  });
});
