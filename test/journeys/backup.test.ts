/** `cloudmapd backup`, and where the commands find the daemon or the folder. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { expectFailure, runCli, runWell } from '../support/cli.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { readFolder, runCommand, setUpJourney } from '../support/journey-tools.ts';
import { NetworkNamespace, requireNamespace } from '../support/network-namespace.ts';

const journey = setUpJourney();

const YAML = 'namespaces: [{ name: shop.internal, type: HTTP }]\n';

/** Where the backup goes: a folder of its own. */
function newFile(name = 'backup.db'): string {
  const path = journey.newPath(name);
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

describe('cloudmapd backup', () => {
  it('takes from the daemon a file that another one starts with', async () => {
    const first = await journey.start();
    const api = new Api(first.endpoint);
    const service = await api.createService(await api.createNamespace('corp.internal'), 'web');
    await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    const file = newFile();
    expect(await runWell(['backup', file, '--endpoint', first.endpoint])).toBe('');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(dirname(file))).toEqual(['backup.db']);
    const text = await runWell(['export', '--format', 'json', '--endpoint', first.endpoint]);
    const revision = await api.discover('corp.internal', 'web');
    await api.register(service, 'web-2', { AWS_INSTANCE_IPV4: '10.0.0.2' });

    const dataDir = journey.newPath();
    await mkdir(dataDir, { recursive: true });
    await copyFile(file, join(dataDir, 'cloudmapd.db'));
    const second = await journey.start({ dataDir });
    expect(await runWell(['export', '--format', 'json', '--endpoint', second.endpoint])).toBe(text);
    expect(await new Api(second.endpoint).discover('corp.internal', 'web')).toEqual(revision);
    expect((await dig(second.dnsPort, 'web.corp.internal', 'A')).answer).toEqual([
      'web.corp.internal. 60 IN A 10.0.0.1',
    ]);
  });

  it('takes it from a folder that no daemon holds, also after one was killed', async () => {
    const dataDir = journey.newPath();
    const daemon = await journey.start({ dataDir });
    await new Api(daemon.endpoint).createNamespace('corp.internal');
    await daemon.stop('SIGKILL');
    const file = newFile('cloudmapd.db');
    await runWell(['backup', file, '--data-dir', dataDir]);
    expect(await runWell(['export', '--data-dir', dirname(file)])).toContain('name: corp.internal');
  });

  it('replaces an older one when it has succeeded, and never the file of a store that is in use', async () => {
    const dataDir = journey.newPath();
    const { endpoint, stop } = await journey.start({ dataDir });
    const file = newFile();
    writeFileSync(file, 'older');
    chmodSync(file, 0o640);
    await runWell(['backup', file, '--endpoint', endpoint]);
    expect(readFileSync(file).subarray(0, 15).toString()).toBe('SQLite format 3');
    expect(statSync(file).mode & 0o777).toBe(0o640);

    const store = join(dataDir, 'cloudmapd.db');
    for (const path of [store, `${store}-wal`, `${store}-shm`]) {
      expectFailure(await runCli(['backup', path, '--endpoint', endpoint]), 1, path, 'choose another one');
      expectFailure(await runCli(['export', '--output', path, '--endpoint', endpoint]), 1, 'choose another one');
    }
    await new Api(endpoint).createNamespace('corp.internal');
    await stop();
    for (const path of [store, `${store}-wal`]) {
      expectFailure(await runCli(['backup', path, '--data-dir', dataDir]), 1, 'choose another one');
    }
    expect(await runWell(['export', '--data-dir', dataDir])).toContain('corp.internal');
  });

  it('says that a daemon has none whose store is in memory', async () => {
    const { endpoint } = await journey.start({ settings: { STORE: 'memory' } });
    const file = newFile();
    expectFailure(await runCli(['backup', file, '--endpoint', endpoint]), 1, endpoint, 'CLOUDMAPD_STORE');
    expect(readdirSync(dirname(file))).toEqual([]);
  });
});

describe('without an endpoint', () => {
  /** In a network of its own, where nobody else has the port that is asked. */
  const enter = async (context: TestContext): Promise<NetworkNamespace> => {
    requireNamespace(context);
    const namespace = await NetworkNamespace.create();
    context.onTestFinished(() => namespace.close());
    return namespace;
  };

  it('the daemon on the default port does the work, if it holds the folder that is given or none is', async (context) => {
    const namespace = await enter(context);
    const { launcher } = namespace;
    const [dataDir, other] = [journey.newPath(), journey.newPath()];
    await runWell(['import', '-', '--data-dir', other], { stdin: YAML.replace('shop', 'other') });
    await journey.start({
      launcher,
      dataDir,
      settings: { HTTP: '127.0.0.1:8053' },
      reach: (endpoint) => namespace.reach(endpoint),
    });
    const cwd = dirname(newFile());
    expect(await runWell(['import', '-'], { launcher, cwd, stdin: YAML })).toMatch(/^created: 1 namespace/);
    expect(await runWell(['export'], { launcher, cwd })).toContain('name: shop.internal');
    expect(await runWell(['export', '--data-dir', dataDir], { launcher })).toContain('name: shop.internal');
    await runWell(['backup', 'b.db'], { launcher, cwd });
    expect(readdirSync(cwd)).toEqual(['b.db']);

    // Another folder is another store, which the command reads itself.
    expect(await runWell(['export', '--data-dir', other], { launcher })).toContain('name: other.internal');
    const nowhere = await runCli(['export', '--data-dir', join(cwd, 'none')], { launcher });
    expectFailure(nowhere, 1, 'the cloudmapd at http://127.0.0.1:8053 holds another folder', 'none/cloudmapd.db');
  });

  it('nobody there and no store is one line that says both, and nothing is made', async (context) => {
    const { launcher } = await enter(context);
    const cwd = dirname(newFile());
    writeFileSync(join(cwd, 'shop.yaml'), YAML);
    const before = readFolder(cwd);
    for (const args of [
      ['export'],
      ['import', 'shop.yaml'],
      ['import', 'shop.yaml', '--dry-run'],
      ['backup', 'b.db'],
    ]) {
      const ended = await runCli(args, { launcher, cwd });
      expectFailure(ended, 1, 'no cloudmapd answers at http://127.0.0.1:8053', 'there is no data/cloudmapd.db');
    }
    expect(readFolder(cwd)).toEqual(before);
    expect(existsSync(join(cwd, 'data'))).toBe(false);
    // The default folder is read where there is one.
    await runWell(['import', 'shop.yaml', '--data-dir', 'data'], { launcher, cwd });
    expect(await runWell(['export'], { launcher, cwd })).toContain('name: shop.internal');
  });
});

describe('wrong usage', () => {
  it.each([
    [['export', '--format', 'xml'], '--format'],
    [['export', '--endpoint', 'localhost:8053'], '--endpoint'],
    [['export', '--endpoint', 'https://127.0.0.1:8053'], 'http'],
    [['export', '--colour'], '--colour'],
    [['import'], 'a file is expected'],
    [['import', 'a.yaml', '--from-aws'], 'not both'],
    [['import', 'a.yaml', '--aws-region', 'eu-west-1'], '--aws-region'],
    [['import', '--from-aws', '--aws-endpoint', 'not a url'], '--aws-endpoint: "not a url"'],
    [['import', '--from-aws', '--aws-endpoint', 'ftp://127.0.0.1'], '--aws-endpoint: "ftp://127.0.0.1"'],
    [['backup'], 'file'],
  ])('%j is told, with exit code 2', async (args, part) => {
    expectFailure(await runCli(args), 2, part);
  });

  it('is told of the environment too', async () => {
    const env = { CLOUDMAPD_ENDPOINT: 'tcp://127.0.0.1:8053' };
    expectFailure(await runCli(['export'], { env }), 2, 'CLOUDMAPD_ENDPOINT', 'tcp://127.0.0.1:8053');
  });
});

it('what nobody has foreseen is one line, with its stack where everything is asked for', async () => {
  const source = new URL('../../src/cli/command.ts', import.meta.url);
  const failing = async (fail: string, env: NodeJS.ProcessEnv = {}) => {
    const script = `const { runCommand } = await import('${source}'); await runCommand(async () => { ${fail} });`;
    return runCommand(process.execPath, ['--input-type=module', '-e', script], { ...process.env, ...env });
  };
  expectFailure(await failing("setImmediate(() => { throw new TypeError('a\\nb') })"), 1, 'cloudmapd: a b\n');
  const { stderr } = await failing("throw new TypeError('a')", { CLOUDMAPD_LOG: 'debug' });
  expect(stderr).toMatch(/^TypeError: a\n +at .*\n( +at .*\n)*cloudmapd: a\n$/);
});
