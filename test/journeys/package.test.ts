/** The JavaScript that is packed for npm: the same daemon from few files. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runWell } from '../support/cli.ts';
import { makeFolder } from '../support/daemon.ts';
import { Api } from '../support/journey-api.ts';
import { expectRefusal, expectServing, runCommand, setUpJourney } from '../support/journey-tools.ts';
import { readModules, recordingModules } from '../support/loaded-modules.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const EXAMPLE = join(ROOT, 'config/cloudmapd.example.yaml');
const CONTENT = 'namespaces: [{ name: packed.internal, type: HTTP }]\n';
const journey = setUpJourney();
const folder = makeFolder();
const main = join(folder.path, 'dist/main.js');

beforeAll(async () => {
  const built = await runCommand(process.execPath, [join(ROOT, 'config/build.ts'), join(folder.path, 'dist')]);
  expect(built).toMatchObject({ code: 0 });
  copyFileSync(join(ROOT, 'package.json'), join(folder.path, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'));
  return () => rmSync(folder.path, { recursive: true, force: true });
});

describe('the package', () => {
  it('serves the API and DNS, and loads no file of a package that is in it', async () => {
    const modules = journey.newPath('modules.json');
    mkdirSync(join(modules, '..'), { recursive: true });
    const daemon = await journey.start({ main, launcher: recordingModules(modules) });
    await expectServing(daemon);
    await new Api(daemon.endpoint).createNamespace('corp.internal');
    const body = await (await fetch(`${daemon.endpoint}/admin/export?format=json`)).text();
    const imported = await fetch(`${daemon.endpoint}/admin/import`, { method: 'POST', body });
    expect(await imported.json()).toMatchObject({ unchanged: { namespaces: 1 }, differences: [] });
    expect(await (await fetch(`${daemon.endpoint}/metrics`)).text()).toContain('\ncloudmapd_namespaces 1\n');
    expect(await daemon.stop()).toBe(0);
    const hasLoaded = readModules(modules);
    expect(hasLoaded('/dist/chunks/')).toBe(true);
    expect(['/node_modules/', 'internal/deps/undici', 'chunks/backup', 'chunks/from-aws'].filter(hasLoaded)).toEqual(
      [],
    );
  });

  it('reads a file, with the package that is installed beside it', async () => {
    const { code, stdout, stderr } = await runCommand(process.execPath, [main, 'check', EXAMPLE]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/: ok: 2 namespaces, /);
    await expectServing(await journey.start({ main, args: ['--config', EXAMPLE] }));
  });

  it('exports, imports, explains and backs up, with a daemon and without', async () => {
    const { endpoint } = await journey.start({ main });
    const yaml = await runWell(['import', '-', '--endpoint', endpoint], { main, stdin: CONTENT });
    expect(yaml).toMatch(/^created: 1 namespace/);
    const exported = await runWell(['export', '--endpoint', endpoint], { main });
    expect(exported).toContain('name: packed.internal');
    expect(await runWell(['explain', 'x.packed.internal', '--endpoint', endpoint], { main })).toContain(
      'The namespace packed.internal is of type HTTP',
    );
    const dataDir = journey.newPath();
    mkdirSync(dataDir, { recursive: true });
    await runWell(['backup', join(dataDir, 'cloudmapd.db'), '--endpoint', endpoint], { main });
    expect(await runWell(['export', '--data-dir', dataDir], { main })).toBe(exported);
    const again = await runWell(['import', '--from-aws', '--aws-endpoint', endpoint, '--data-dir', dataDir], { main });
    expect(again).toContain('created: nothing;');
  });

  it('has the version of its package.json, and refuses as the sources do', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(await runCommand(process.execPath, [main, '--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
    expectRefusal(await journey.runToEnd({ main, settings: { DNS: '192.0.2.1:0' } }), 'CLOUDMAPD_DNS');
  });

  it('has the licences of what is in it', () => {
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const text = readFileSync(join(folder.path, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8');
    for (const name of ['fastify', 'zod', 'pino', 'dns2', 'ip-address', 'commander']) {
      expect(text).toMatch(new RegExp(`^${name} [\\d.]+ \\(MIT\\)\\n\\n[^-]`, 'm'));
    }
    // What is not in it has to be installed with it.
    const imported = readdirSync(join(folder.path, 'dist'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.js'))
      .flatMap((path) => [...readFileSync(join(folder.path, 'dist', path), 'utf8').matchAll(IMPORTED)])
      .map((match) => match[1] as string);
    const installed = Object.keys({ ...dependencies, ...optionalDependencies });
    for (const name of new Set(imported)) expect(installed).toContain(name);
    expect(imported.length).toBeGreaterThan(0);
  });
});

/** Names of packages in `import` of any kind, and in `require` made for the module. */
const IMPORTED = /(?:from |import\(|\(import\.meta\.url\)\()["']((?!node:)@?[a-z][^"']*)["']/g;
