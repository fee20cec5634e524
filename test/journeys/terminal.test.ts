/** The commands under a real terminal: colours, what is shown while something takes long, and Ctrl-C. */
import { readFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runWell } from '../support/cli.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, shareDaemon } from '../support/journey-tools.ts';
import { stallingRelayTo } from '../support/stalling-relay.ts';
import { requireTerminal, runInTerminal, startInTerminal, type Terminal } from '../support/terminal.ts';

const ESCAPE = '\u001b';
/** A line that was drawn is gone: what follows stands in its place. */
const CLEAR = `\r${ESCAPE}[K`;

const journey = setUpJourney();
const daemon = shareDaemon();
const env = () => ({ CLOUDMAPD_ENDPOINT: daemon().endpoint });
beforeEach(requireTerminal);

let api: Api;
beforeAll(async () => {
  api = new Api(daemon().endpoint);
  const service = await api.createService(await api.createNamespace('shop.internal'), 'web', {
    HealthCheckCustomConfig: { FailureThreshold: 1 },
  });
  for (const i of [1, 2]) await api.register(service, `web-${i}`, { AWS_INSTANCE_IPV4: `10.0.0.${i}` });
  await api.setHealth(service, 'web-2', 'UNHEALTHY');
});

/** What is left to be seen of a screen on which lines were drawn over. */
function lastLine({ screen }: { screen: string }): string | undefined {
  return screen.trimEnd().split('\n').at(-1)?.split(CLEAR).at(-1);
}

describe('tables', () => {
  const args = ['ls', 'shop.internal', 'web'];

  it('are coloured, and the same as under a pipe but for that', async () => {
    const { code, screen, text } = await runInTerminal(args, { env: env() });
    expect(code).toBe(0);
    expect(screen).toContain(`${ESCAPE}[1mINSTANCE`);
    expect(screen).toContain(`${ESCAPE}[32mHEALTHY${ESCAPE}[39m`);
    expect(screen).toContain(`${ESCAPE}[31mUNHEALTHY${ESCAPE}[39m`);
    expect(text).toBe(await runWell(args, { env: env() }));
  });

  it.each([
    ['with NO_COLOR', { NO_COLOR: '1' }, []],
    ['on a dumb terminal', { TERM: 'dumb' }, []],
    ['as JSON', {}, ['--json']],
  ])('are not, %s', async (_, more, flags) => {
    const { code, screen } = await runInTerminal([...args, ...flags], { env: { ...env(), ...more } });
    expect(code).toBe(0);
    expect(screen).not.toContain(ESCAPE);
    expect(screen).toContain('web-2');
  });

  it('a mistake is one line there too, and tells with its exit code', async () => {
    expect(await runInTerminal(['ls', 'nope.internal'], { env: env() })).toMatchObject({
      code: 1,
      text: 'cloudmapd: there is no namespace "nope.internal"; there is shop.internal\n',
    });
    expect(await runInTerminal(['discover', 'a'], { env: env() })).toMatchObject({ code: 2 });
  });
});

describe('wait', () => {
  const waiting = (...flags: string[]): Terminal =>
    startInTerminal(['wait', 'shop.internal', 'web', '--healthy', '3', ...flags], { env: env() });

  it('shows what is missing, and in its place what it found', async () => {
    const terminal = waiting();
    await terminal.shows('waiting: shop.internal/web: 1 of 2 instances healthy, 3 wanted; UNHEALTHY: web-2');
    await runWell(['register', 'shop.internal', 'web', 'web-3', '--ipv4', '10.0.0.3'], { env: env() });
    await terminal.shows('2 of 3 instances healthy');
    await runWell(['health', 'shop.internal', 'web', 'web-2', 'HEALTHY'], { env: env() });
    expect(await terminal.ended).toBe(0);
    expect(lastLine({ screen: terminal.screen() })).toBe('shop.internal/web: 3 healthy instances');
    await runWell(['health', 'shop.internal', 'web', 'web-2', 'UNHEALTHY'], { env: env() });
  });

  it('ends with the time that is over', async () => {
    const ended = await runInTerminal(['wait', 'shop.internal', 'nope', '--timeout', '1s'], { env: env() });
    expect(ended.code).toBe(1);
    expect(lastLine(ended)).toBe('cloudmapd: there is no service "nope" in shop.internal; there is web (waited 1s)');
  });

  it('Ctrl-C ends it, and leaves no line behind', async () => {
    const terminal = waiting('--healthy', '9');
    await terminal.shows('waiting: ');
    terminal.interrupt();
    expect(await terminal.ended).toBe(130);
    expect(terminal.screen().replaceAll('^C', '').endsWith(CLEAR)).toBe(true);
  });

  it('draws no line that is wider than the terminal', async () => {
    const name = `${'x'.repeat(60)}.${'y'.repeat(60)}`;
    const terminal = startInTerminal(['wait', 'shop.internal', name, '--timeout', '5m'], {
      env: env(),
      columns: 40,
    });
    await terminal.shows('waiting: there is no service "xxx');
    terminal.interrupt();
    await terminal.ended;
    for (const line of terminal.screen().replaceAll('^C', '').split(CLEAR)) expect(line.length).toBeLessThan(40);
  });
});

describe('long work shows how far it is', () => {
  /** More than goes through at once, and than the system holds on the way. */
  const instances = Array.from({ length: 5000 }, (_, i) => ({
    id: `i-${i}`,
    attributes: Object.fromEntries([1, 2, 3, 4].map((key) => [`k${key}`, 'x'.repeat(1000)])),
  }));
  const content = { namespaces: [{ name: 'large', type: 'HTTP', services: [{ name: 'large', instances }] }] };
  const THROUGH_BYTES = 1_000_000;
  let file: string;
  beforeEach(() => {
    file = journey.writeFile('large.json', JSON.stringify(content));
  });
  /** Runs it through a way that stalls until the line has shown this. */
  const runStalled = async (args: string[], shown: RegExp, redirect = '', bytes = THROUGH_BYTES) => {
    const { endpoint, open } = await stallingRelayTo(daemon().endpoint, bytes);
    const terminal = startInTerminal([...args, '--endpoint', endpoint], { redirect });
    await terminal.shows(shown);
    open();
    const code = await terminal.ended;
    return { code, last: lastLine({ screen: terminal.screen() }), screen: terminal.screen() };
  };

  it('import, by a bar', async () => {
    const shown = /\[#+\.+\] +\d+ % {2}reading: \d+\.\d MB of 20\.\d MB, \d+ s/;
    expect(await runStalled(['import', file], shown)).toMatchObject({
      code: 0,
      last: 'created: 1 namespace, 1 service, 5000 instances; changed: nothing; unchanged: nothing',
    });
    const { last } = await runStalled(['import', '-'], /reading: \d+\.\d MB, \d+ s/, `< ${file}`);
    expect(last).toMatch(/^created: nothing; /);
  });

  it('export and backup', async () => {
    await runWell(['import', file], { env: env() });
    expect(await runStalled(['export', '--output', file], /exporting: \d+\.\d \w+, \d+ s/)).toMatchObject({ code: 0 });
    expect(await runStalled(['export'], /exporting: /, `> ${file}`)).toMatchObject({ code: 0, last: '' });
    expect(await runStalled(['backup', file], /\[#*\.+\] +\d+ % {2}copying: /)).toMatchObject({ code: 0, last: '' });
  });

  it('import --from-aws', async () => {
    const other = await journey.start({ settings: { STORE: 'memory' } });
    const { endpoint, open } = await stallingRelayTo(daemon().endpoint, 0);
    const terminal = startInTerminal(
      ['import', '--from-aws', '--aws-endpoint', endpoint, '--endpoint', other.endpoint],
      { env: { AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null' } },
    );
    await terminal.shows(`${endpoint}: ListNamespaces`);
    open();
    expect(await terminal.ended).toBe(0);
    expect(lastLine({ screen: terminal.screen() })).toMatch(/^created: \d+ namespaces?, /);
  });

  it('and nothing of it is written to a file or a pipe', async () => {
    const stderr = journey.writeFile('stderr', '');
    const args = ['wait', 'shop.internal', 'nope', '--timeout', '1s'];
    const { code, screen } = await runInTerminal(args, { env: env(), redirect: `2> ${stderr}` });
    expect({ code, screen }).toEqual({ code: 1, screen: '' });
    expect(readFileSync(stderr, 'utf8')).toMatch(/^cloudmapd: there is no service [^\n]+\n$/);
  });
});
