/** What a start loads, and what it keeps of that for the next one. */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectServing, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { readModules, recordingModules } from '../support/loaded-modules.ts';

const journey = setUpJourney();

describe('a start', () => {
  it('loads nothing that only some starts need, and neither do the probes', async () => {
    const file = journey.newPath('modules.json');
    const daemon = await journey.start({ launcher: recordingModules(file), settings: { STORE: 'memory' } });
    mkdirSync(join(file, '..'), { recursive: true });
    await expectServing(daemon);
    expect(await daemon.stop()).toBe(0);
    const hasLoaded = readModules(file);
    expect(['/fastify/', '/zod/', '/daemon.ts', 'node:net'].filter((name) => !hasLoaded(name))).toEqual([]);
    const needless = ['/pino-pretty/', '/yaml/', '/@aws-sdk/', '/ajv', '/light-my-request/', 'internal/deps/undici'];
    needless.push(
      '/transfer/import',
      '/transfer/export',
      '/@streamparser/',
      '/dns-report',
      '/resolver/trial',
      '/synthesis/explain',
      '/wire/presentation',
      '/wire/dig-text',
      '/prom-client/',
      '/cli/queries',
      '/query-log',
      ...['export', 'import', 'backup', 'explain'].map((name) => `/cli/${name}`),
    );
    expect(needless.filter(hasLoaded)).toEqual([]);
  });

  it('loads what reads a file where there is one', async () => {
    const file = journey.newPath('modules.json');
    mkdirSync(join(file, '..'), { recursive: true });
    const config = journey.writeFile('cloudmapd.yaml', 'region: eu-west-1\n');
    const daemon = await journey.start({ launcher: recordingModules(file), args: ['--config', config] });
    expect(await daemon.stop()).toBe(0);
    expect(readModules(file)('/yaml/')).toBe(true);
  });
});

describe('what a start has compiled', () => {
  const inHome = (home: string, ...more: string[]): string[] => [
    ...['env', '-u', 'NODE_COMPILE_CACHE', '-u', 'XDG_CACHE_HOME', `HOME=${home}`, ...more],
  ];
  const newHome = (): string => {
    const home = journey.newPath('home');
    mkdirSync(home, { recursive: true });
    return home;
  };
  const filesBelow = (path: string): string[] =>
    existsSync(path)
      ? readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((each) => each.includes('/'))
      : [];

  it("is kept in the user's own folder while the daemon runs, for nobody else to write to", async () => {
    const home = newHome();
    const daemon = await journey.start({ launcher: inHome(home) });
    const folder = join(home, '.cache/cloudmapd');
    await waitFor('files', () => (filesBelow(folder).length > 100 ? true : null));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    await expectServing(daemon);
    expect(await daemon.stop('SIGKILL')).toBe(null);
    await expectServing(await journey.start({ launcher: inHome(home) }));
  });

  it('is kept where XDG_CACHE_HOME says', async () => {
    const home = newHome();
    const caches = newHome();
    const daemon = await journey.start({ launcher: inHome(home, `XDG_CACHE_HOME=${caches}`) });
    expect(await daemon.stop()).toBe(0);
    expect(filesBelow(join(caches, 'cloudmapd')).length).toBeGreaterThan(100);
    expect(readdirSync(home)).toEqual([]);
  });

  it('is neither kept nor read where others could have written', async () => {
    const home = newHome();
    const folder = join(home, '.cache/cloudmapd');
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o777);
    const daemon = await journey.start({ launcher: inHome(home) });
    expect(await daemon.stop()).toBe(0);
    expect(filesBelow(home).filter((path) => path.startsWith('.cache/cloudmapd/'))).toEqual([]);
  });

  it.skipIf(process.getuid?.() !== 0)("leaves nothing in another user's home, as under sudo", async () => {
    const home = newHome();
    chownSync(home, 12_345, 12_345);
    const daemon = await journey.start({ launcher: inHome(home) });
    expect(await daemon.stop()).toBe(0);
    expect(readdirSync(home)).toEqual([]);
  });

  it.each([
    ['does not exist', '/nowhere/at-all'],
    ['takes no folders', '/proc'],
    ['is no folder', '/dev/null'],
  ])('is not kept, and the daemon serves all the same, where the home %s', async (_, home) => {
    const daemon = await journey.start({ launcher: inHome(home) });
    await expectServing(daemon);
    expect(daemon.stderr()).toBe('');
    expect(await daemon.stop()).toBe(0);
    expect(existsSync(join(home, '.cache'))).toBe(false);
  });
});
