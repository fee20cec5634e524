import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readResolvConf, watchResolvConf } from '../../src/resolver/resolv-conf.ts';
import { makeFolder } from '../support/daemon.ts';

let folder: ReturnType<typeof makeFolder>;
let file: string;
beforeEach(() => {
  folder = makeFolder();
  file = join(folder.path, 'resolv.conf');
});
afterEach(() => folder.remove());

describe('readResolvConf', () => {
  it.each<[string, string, string[]]>([
    ['nothing', '', []],
    ['one', 'nameserver 10.0.0.1\n', ['10.0.0.1']],
    ['several, in their order', 'nameserver 10.0.0.2\nnameserver 10.0.0.1', ['10.0.0.2', '10.0.0.1']],
    ['IPv6, with its zone', 'nameserver fe80::1%eth0\nnameserver 2001:db8::1\n', ['fe80::1%eth0', '2001:db8::1']],
    ['one twice', 'nameserver 10.0.0.1\nnameserver 10.0.0.1\n', ['10.0.0.1']],
    ['blanks and ends of lines', '\tnameserver \t10.0.0.1  \r\nnameserver 10.0.0.2\r\n', ['10.0.0.1', '10.0.0.2']],
    ['comments', '# nameserver 10.0.0.1\n; nameserver 10.0.0.2\nnameserver 10.0.0.3 # ours\n', ['10.0.0.3']],
    ['other lines', 'search corp.example\noptions ndots:5\nnameservers 10.0.0.1\n', []],
    ['what is no address', 'nameserver localhost\nnameserver 10.0.0\nnameserver\nnameserver 10.0.0.1:53\n', []],
  ])('%s', (_, text, expected) => {
    writeFileSync(file, text);
    expect(readResolvConf(file)).toEqual(expected.map((address) => ({ address, port: 53 })));
  });

  it('names nobody where there is no file', () => {
    expect(readResolvConf(file)).toEqual([]);
  });
});

describe('watchResolvConf', () => {
  it('tells of other servers, whether the file is rewritten, replaced, removed or new, and of nothing else', async () => {
    writeFileSync(file, 'nameserver 10.0.0.1\n');
    const told: string[] = [];
    const stop = watchResolvConf(file, readResolvConf(file), (servers) =>
      told.push(servers.map(({ address }) => address).join(' ')),
    );
    const expectTold = (...expected: string[]): Promise<void> =>
      vi.waitFor(() => expect(told).toEqual(expected), { timeout: 10_000 });
    try {
      writeFileSync(file, '# the same\nnameserver 10.0.0.1\n');
      writeFileSync(join(folder.path, 'next'), 'nameserver 10.0.0.2\n');
      renameSync(join(folder.path, 'next'), file);
      await expectTold('10.0.0.2');
      rmSync(file);
      await expectTold('10.0.0.2', '');
      writeFileSync(file, 'nameserver 10.0.0.3\n');
      await expectTold('10.0.0.2', '', '10.0.0.3');
    } finally {
      stop();
    }
  });
});
