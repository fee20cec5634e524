/**
 * `npm run build`: makes `dist/`, the JavaScript of the package. What a start loads is put into few files, packages
 * included: loading some five hundred modules one by one takes most of a start, and a good part of its memory. Names
 * and lines stay as they were written, so that stacks can be read.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const ROOT = new URL('..', import.meta.url).pathname;
/** Installed beside the package: it has a binary of its own, or hardly any start loads it. */
const APART = ['koffi', '@aws-sdk/client-ec2', '@aws-sdk/client-servicediscovery', 'pino-pretty', 'yaml'];
/** What the answering thread loads too; it decodes nothing, so without the codec and what that brings. */
const OF_THREAD =
  /\/src\/(wire|answers|resolver|telemetry)\/(?!codec|rdata\.|lookup|chase)|\/src\/dns\/outcome\.ts$|\/node_modules\/ip-address\//;
const SHARED =
  /\/src\/(registry|store|declared|faults)\/|\/src\/(config|declared-content|setting-forms|version|log)\.ts$|\/node_modules\/zod\//;
/** Left empty: fastify loads them for schemas of routes and for requests that `inject` makes up, and we have neither. */
const UNUSED = ['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request'];

const folder = process.argv[2] ?? join(ROOT, 'dist');
rmSync(folder, { recursive: true, force: true });
const bundle = await rolldown({
  cwd: ROOT,
  platform: 'node',
  input: {
    main: 'src/main.ts',
    'dns/thread': 'src/dns/thread.ts',
    'library/start': 'src/library/start.ts',
    'library/thread': 'src/library/thread.ts',
  },
  external: APART,
  resolve: { alias: Object.fromEntries(UNUSED.map((name) => [name, false])) },
});
const { output } = await bundle.write({
  dir: folder,
  format: 'esm',
  entryFileNames: '[name].js',
  // One folder deep, as the sources are: what is named relative to a module is found from there too.
  chunkFileNames: 'chunks/[name].js',
  // What a start shares with the other commands stays together: files of a module or two would cost it a tenth more.
  // The answering thread's come first, lest it load the registry.
  codeSplitting: {
    groups: [
      { name: 'thread', test: OF_THREAD, priority: 1 },
      { name: 'registry', test: SHARED },
      // The library has the daemon without the command, but that is small.
      { name: 'serve', test: /\/src\/(daemon|cli\/serve)\.ts$/ },
    ],
  },
  comments: false,
});
await bundle.close();
const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
writeFileSync(join(folder, 'THIRD-PARTY-LICENSES.txt'), licensesOf(modules));

/** What the packages that came in ask to be kept with them. @param modules paths */
function licensesOf(modules: readonly string[]): string {
  const folders = modules.map((path) => /^[^\0]*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders.filter((path) => path !== undefined))]
    .sort()
    .map((path) => {
      const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
      const file = readdirSync(path).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
      const text = file === undefined ? '' : readFileSync(join(path, file), 'utf8');
      return `${name} ${version} (${license})\n\n${text}`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}
