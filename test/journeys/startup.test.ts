/** How the daemon refuses to start: one line that says why, and nothing changed. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeFolder } from '../support/daemon.ts';
import { Api } from '../support/journey-api.ts';
import {
  expectRefusal,
  expectServing,
  readFolder,
  runCommand,
  setUpJourney,
  shareDaemon,
} from '../support/journey-tools.ts';

const journey = setUpJourney();
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const EXAMPLE = new URL('../../config/cloudmapd.example.yaml', import.meta.url).pathname;

describe('a second daemon', () => {
  const folder = makeFolder();
  // Before the daemon's own, as the last to be called is the first to be registered.
  afterAll(folder.remove);
  const first = shareDaemon({ dataDir: folder.path });

  it('ends with 2 on the HTTP port of the first, and leaves nothing behind', async () => {
    const dataDir = journey.newPath();
    const second = await journey.runToEnd({ dataDir, settings: { HTTP: `127.0.0.1:${first().httpPort}` } });
    expectRefusal(second, 'CLOUDMAPD_HTTP', '--http', `127.0.0.1:${first().httpPort}`, 'in use');
    expect(existsSync(dirname(dataDir))).toBe(false);
    await expectServing(first());
  });

  it('ends with 2 on the DNS port of the first, and leaves nothing behind', async () => {
    const dataDir = journey.newPath();
    const second = await journey.runToEnd({ dataDir, settings: { DNS: `127.0.0.1:${first().dnsPort}` } });
    expectRefusal(second, 'CLOUDMAPD_DNS', '--dns', `127.0.0.1:${first().dnsPort}`, 'in use');
    expect(existsSync(dirname(dataDir))).toBe(false);
    await expectServing(first());
  });

  it('ends with 2 on both ports of the first, and names that of HTTP', async () => {
    const settings = { HTTP: `127.0.0.1:${first().httpPort}`, DNS: `127.0.0.1:${first().dnsPort}` };
    expectRefusal(await journey.runToEnd({ settings }), 'CLOUDMAPD_HTTP', `127.0.0.1:${first().httpPort}`, 'in use');
    await expectServing(first());
  });

  it('ends with 2 on the data folder of the first, and changes nothing there', async () => {
    const api = new Api(first().endpoint);
    await api.createNamespace('corp.internal');
    const before = readFolder(folder.path);
    expect(Object.keys(before ?? {})).toContain('cloudmapd.db');
    const second = await journey.runToEnd({ dataDir: folder.path });
    expectRefusal(second, 'CLOUDMAPD_DATA_DIR', '--data-dir', folder.path, 'another');
    expect(readFolder(folder.path)).toEqual(before);
    await expectServing(first());
    await api.createNamespace('next.internal');
  });
});

describe('settings that cannot be used', () => {
  it.each<[Record<string, string>, string[], string]>([
    [{ HTTP: 'nonsense' }, [], 'CLOUDMAPD_HTTP'],
    [{ HTTP: '192.0.2.1:0' }, [], 'CLOUDMAPD_HTTP'],
    [{ DNS: '192.0.2.1:0' }, [], 'CLOUDMAPD_DNS'],
    [{ DNS_FALLBACK: 'any' }, [], 'CLOUDMAPD_DNS_FALLBACK'],
    [{ CONFIG: '/nowhere/cloudmapd.yaml' }, [], 'CLOUDMAPD_CONFIG'],
    [{}, ['--account-id', '12'], '--account-id'],
  ])('%j %j: ends with 2 and names the setting', async (settings, args, name) => {
    const dataDir = journey.newPath();
    expectRefusal(await journey.runToEnd({ dataDir, settings, args }), name);
    expect(existsSync(dirname(dataDir))).toBe(false);
  });

  it('ends with 2 for a flag that there is not, in one line', async () => {
    const { code, stdout, stderr } = await journey.runToEnd({ args: ['--no-such-flag'] });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^[^\n]*--no-such-flag[^\n]*\n$/);
  });
});

describe('a file with a mistake', () => {
  it.each([
    ['no YAML', 'namespaces:\n  - name: [unclosed\n', /:[23]: /],
    ['an unknown setting', 'http: 127.0.0.1:0\nhtpp: 127.0.0.1:0\n', /:2: htpp: /],
    ['a wrong value', 'namespaces:\n  - name: a.internal\n    type: PRIVATE\n', /:3: namespaces\[0\]\.type: /],
    [
      'a rule of the registry',
      `namespaces:
  - name: a.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 5 }] }
        instances:
          - { id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.999 } }
`,
      /:8: namespaces\[0\]\.services\[0\]\.instances\[0\]\.attributes(\.AWS_INSTANCE_IPV4)?: /,
    ],
  ])('is refused by check and by serve alike, with file, line and key: %s', async (_, yaml, where) => {
    const file = journey.writeFile('cloudmapd.yaml', yaml);
    const dataDir = journey.newPath();
    const checked = await runCommand(process.execPath, [MAIN, 'check', file]);
    expectRefusal(checked, file);
    expect(checked.stderr.replace(file, '')).toMatch(where);
    const served = await journey.runToEnd({ dataDir, args: ['--config', file] });
    expectRefusal(served, file);
    expect(served.stderr).toBe(checked.stderr);
    expect(readFolder(dataDir) ?? {}).toEqual({});
  });

  it('is said by check to be right where it is', async () => {
    expect(await runCommand(process.execPath, [MAIN, 'check', EXAMPLE])).toEqual({
      code: 0,
      stdout: `${EXAMPLE}: ok: 2 namespaces, 4 services, 5 instances\n`,
      stderr: '',
    });
    expectRefusal(
      await runCommand(process.execPath, [MAIN, 'check', '/nowhere/cloudmapd.yaml']),
      '/nowhere/cloudmapd.yaml',
    );
  });
});

describe('a data folder that cannot be used', () => {
  it('ends with 2 where it cannot be made', async () => {
    const file = journey.writeFile('file', 'not a folder');
    const dataDir = join(file, 'data');
    expectRefusal(await journey.runToEnd({ dataDir }), 'CLOUDMAPD_DATA_DIR', '--data-dir', dataDir);
  });

  it.each([
    ['no database', 'something else that someone keeps here'],
    ['cut off', 'SQLite format 3\0'],
  ])('ends with 2 where the file in it is %s, and leaves that as it is', async (_, content) => {
    const dataDir = journey.newPath();
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, 'cloudmapd.db'), content);
    const before = readFolder(dataDir);
    expectRefusal(await journey.runToEnd({ dataDir }), 'CLOUDMAPD_DATA_DIR', join(dataDir, 'cloudmapd.db'));
    expect(readFolder(dataDir)).toEqual(before);
  });
});
