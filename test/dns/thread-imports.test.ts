import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const ENTRY = new URL('src/dns/thread.ts', ROOT);

// `import type` and `export type` are erased; `import { type X } from` is not (verbatimModuleSyntax keeps the import).
const STATIC = /^\s*(?:import|export)\s(?!type\s)(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\b(?:import|require)\(\s*['"]([^'"]+)['"]/g;

function importsOf(source: string): string[] {
  return [STATIC, DYNAMIC].flatMap((pattern) => [...source.matchAll(pattern)].map((match) => match[1] as string));
}

/** Everything that loading `entry` loads: our files relative to the root, and packages by name. */
function reachedFrom(entry: URL): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const path = file.href.slice(ROOT.href.length);
    if (files.has(path)) continue;
    files.add(path);
    for (const specifier of importsOf(readFileSync(file, 'utf8'))) {
      if (specifier.startsWith('.')) open.push(new URL(specifier, file));
      else packages.add(specifier);
    }
  }
  return { files, packages };
}

const { files, packages } = reachedFrom(ENTRY);

describe('the imports of an answering thread', () => {
  it('are found at all', () => {
    expect([...files]).toEqual(
      expect.arrayContaining([
        'src/dns/thread.ts',
        'src/dns/respond.ts',
        'src/dns/tcp.ts',
        'src/answers/name-table.ts',
        'src/wire/names.ts',
        'src/resolver/upstreams.ts',
      ]),
    );
    expect([...packages]).toContain('node:worker_threads');
  });

  it.each(['registry', 'store', 'api', 'synthesis', 'publish', 'health', 'declared', 'admin', 'cli'])(
    'hold nothing of src/%s',
    (folder) => {
      expect([...files].filter((file) => file.startsWith(`src/${folder}/`))).toEqual([]);
    },
  );

  it('hold Node itself, what reads addresses and what calls the system, not its SQLite, and above all not dns2', () => {
    expect([...packages].filter((name) => !name.startsWith('node:')).sort()).toEqual(['ip-address', 'koffi']);
    expect([...packages]).not.toContain('node:sqlite');
  });
});

describe('koffi', () => {
  // It is not there on every platform, and takes its time to load: what does not need it must not wait for it.
  it('is loaded by one file alone, when that is asked to', () => {
    const users = [...files].filter((file) => importsOf(readFileSync(new URL(file, ROOT), 'utf8')).includes('koffi'));
    expect(users).toEqual(['src/dns/udp-batched.ts']);
    const source = readFileSync(new URL('src/dns/udp-batched.ts', ROOT), 'utf8');
    expect([...source.matchAll(STATIC)].map((match) => match[1])).not.toContain('koffi');
  });
});

describe('the reader of imports', () => {
  it.each([
    ["import { a } from './a.ts';", ['./a.ts']],
    ["import {\n  a,\n  type B,\n} from './a.ts';", ['./a.ts']],
    ["import { type B } from './a.ts';", ['./a.ts']],
    ["import './a.ts';", ['./a.ts']],
    ["import * as a from 'a';", ['a']],
    ["import a, { b } from 'a';", ['a']],
    ["export { a } from './a.ts';", ['./a.ts']],
    ["const a = await import('./a.ts');", ['./a.ts']],
    ["import type { A } from './a.ts';", []],
    ["import type {\n  A,\n} from './a.ts';", []],
    ["export type { A } from './a.ts';", []],
    ["export const a = 1;\nconst b = 'x from y';", []],
  ])('%j', (source, expected) => {
    expect(importsOf(source)).toEqual(expected);
  });
});
