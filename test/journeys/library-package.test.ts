/** The package in a user's project: its library in vitest, in a program of CommonJS, and as TypeScript sees it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder } from '../support/daemon.ts';
import { type Ended, runCommand } from '../support/journey-tools.ts';
import { installPacked } from '../support/packed.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const folder = makeFolder();
let project: string;

beforeAll(async () => {
  project = await installPacked(folder.path, ['vitest', 'typescript']);
});
afterAll(() => folder.remove());

function write(name: string, text: string): void {
  writeFileSync(join(project, name), text);
}

/** Runs Node in the project, which knows nothing of this repository. */
function runThere(...args: string[]): Promise<Ended> {
  const { VITEST: _, NODE_OPTIONS: __, ...env } = process.env;
  return runCommand('sh', ['-c', 'cd "$0" && exec "$@"', project, process.execPath, ...args], env);
}

/** @returns its report; it has said nothing on stderr, and every test has passed */
async function runVitest(...suites: string[]): Promise<unknown> {
  const args = ['run', '--reporter=json', '--outputFile=report.json', ...suites];
  const { code, stdout, stderr } = await runThere('node_modules/vitest/vitest.mjs', ...args);
  expect({ code, stdout: code === 0 ? '' : stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
  return JSON.parse(readFileSync(join(project, 'report.json'), 'utf8'));
}

/** The first block of JavaScript below the heading. */
function blockBelow(heading: string): string {
  const section = README.slice(README.indexOf(`\n${heading}\n`));
  return /```js\n([\s\S]*?)```/.exec(section)?.[1] as string;
}

describe('the packed library', () => {
  it("serves README's session of vitest", async () => {
    write('shop.test.mjs', blockBelow('## In test suites'));
    expect(await runVitest('shop.test.mjs')).toMatchObject({ numTotalTests: 3, numPassedTests: 3 });
  });

  it('serves several suites of vitest at once, and a program of CommonJS', async () => {
    const suite = (name: string): string => `
      import { start } from 'cloudmapd';
      import { afterAll, expect, test } from 'vitest';
      const config = { namespaces: [{ name: '${name}', type: 'HTTP' }] };
      const cloudmap = await start({ config });
      afterAll(() => cloudmap.close());
      test('has its own', async () => {
        expect(await (await fetch(cloudmap.endpoint + '/admin/export')).text()).toContain('name: ${name}');
      });`;
    write('one.test.mjs', suite('one'));
    write('two.test.mjs', suite('two'));
    expect(await runVitest('one.test.mjs', 'two.test.mjs')).toMatchObject({ numPassedTests: 2 });
    write(
      'program.cjs',
      `const { start } = require('cloudmapd');
       start({ seed: 1 }).then(async ({ endpoint, close }) => {
         const { version, dataDir } = await (await fetch(endpoint + '/admin/info')).json();
         process.stdout.write(JSON.stringify({ version, dataDir }));
         await close();
       });`,
    );
    const { version } = JSON.parse(readFileSync(join(project, 'node_modules/cloudmapd/package.json'), 'utf8'));
    const { code, stdout, stderr } = await runThere('program.cjs');
    expect({ code, stderr, said: JSON.parse(stdout) }).toEqual({
      code: 0,
      stderr: '',
      said: { version, dataDir: null },
    });
  });

  it('is typed, for modules and for CommonJS', async () => {
    const lines = [
      "import { type Cloudmapd, type Config, start } from 'cloudmapd';",
      "const config: Config = { region: 'eu-west-1', namespaces: [{ name: 'a', type: 'HTTP' }] };",
      'const cloudmap: Cloudmapd = await start({ config, seed: 1, settings: { dnsMaxTtl: 5 } });',
      'const port: number = cloudmap.dns.port;',
      'const endpoint: string = cloudmap.endpoint;',
      "const id: string = await cloudmap.faults.add({ dns: { name: 'a', fault: 'delay', delayMs: 5 }, forSeconds: 1 });",
      "await cloudmap.faults.add({ api: { operation: '*', fault: 'fail' } });",
      'const ends: (Date | null)[] = (await cloudmap.faults.list()).map(({ until }) => until);',
      'await cloudmap.reset();',
      'await cloudmap.close();',
      'export { port, endpoint, id, ends };',
    ];
    const wrong = [
      "await start({ seed: '1' });",
      "await start({ config: { namespaces: [{ name: 'a', type: 'DNS' }] } });",
      "await cloudmap.faults.add({ dns: { name: 'a', fault: 'delay' } });",
      "await cloudmap.faults.add({ dns: { name: 'a', fault: 'throttle' } });",
      'await cloudmap.faults.add({ forSeconds: 1 });',
    ];
    write('typed.mts', [...lines, ...wrong.flatMap((line) => ['// @ts-expect-error', line])].join('\n'));
    write('typed.cts', "import cloudmapd = require('cloudmapd');\nexport const made = cloudmapd.start({ seed: 1 });\n");
    const options = { strict: true, module: 'nodenext', target: 'es2024', noEmit: true, types: [] };
    write('tsconfig.json', JSON.stringify({ compilerOptions: options, include: ['typed.*'] }));
    const { code, stdout } = await runThere('node_modules/typescript/bin/tsc');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  });
});
