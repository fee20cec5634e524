/** A YAML file whose values know the line that they stand on. */
import { createRequire } from 'node:module';
import type { ParsedNode } from 'yaml';
import { digestOf } from './followed-file.ts';

/** A mistake in a configuration file: which file, line and key, and what is wrong. */
export class ConfigFileError extends Error {
  override readonly name = 'ConfigFileError';

  /** @param line null: it has none, as a program gave it */
  constructor(file: string, line: number | null, key: string, problem: string) {
    super(`${file}${line === null ? '' : `:${line}`}: ${key === '' ? '' : `${key}: `}${problem}`);
  }
}

export type KeyPath = readonly (string | number)[];

export interface YamlFile {
  readonly file: string;
  /** Of its text: see `digestOf`. Null: it is no file, and is not followed. */
  readonly digest: string | null;
  /** Plain data; null where the file is empty. */
  readonly value: unknown;
  /** An error that points to the value at `path`, or to the closest one above it that is there. */
  errorAt(path: KeyPath, problem: string): ConfigFileError;
}

/** @throws ConfigFileError where the text is no YAML, or a mapping has a key twice */
export function parseYaml(file: string, text: string): YamlFile {
  const { isNode, isScalar, LineCounter, parseDocument, visit } = loadYaml();
  const lines = new LineCounter();
  const document = parseDocument<ParsedNode>(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) throw new ConfigFileError(file, lineOf(error.pos[0]), '', error.message);
  let value: unknown;
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) === undefined) {
        throw new ConfigFileError(file, lineOf(alias.range?.[0] ?? 0), '', `the alias *${alias.source} has no anchor`);
      }
    },
    // 1.10, 010 and 0x10 are numbers to YAML, and text to whoever wrote them as an attribute.
    Scalar: (_, scalar) => {
      const { source } = scalar as { source?: string };
      if (typeof scalar.value !== 'string' && scalar.value !== null && source !== String(scalar.value))
        scalar.value = source;
    },
    Pair: (_, pair) => {
      if (isScalar(pair.key)) return;
      const at = isNode(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
      throw new ConfigFileError(file, lineOf(at), '', 'a key is expected to be plain text');
    },
  });
  try {
    value = document.toJS();
  } catch (cause) {
    // Aliases that expand without end.
    throw new ConfigFileError(file, 1, '', (cause as Error).message);
  }
  const nodeAt = (path: KeyPath): ParsedNode | null => {
    for (let length = path.length; length >= 0; length--) {
      const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
      if (isNode(node)) return node as ParsedNode;
    }
    return null;
  };
  return {
    file,
    digest: digestOf(text),
    value,
    errorAt: (path, problem) =>
      new ConfigFileError(file, lineOf(nodeAt(path)?.range[0] ?? 0), formatPath(path), problem),
  };
}

/** What a program gives in place of a file. @param name what messages call it */
export function givenValue(name: string, value: unknown): YamlFile {
  return {
    file: name,
    digest: null,
    value,
    errorAt: (path, problem) => new ConfigFileError(name, null, formatPath(path), problem),
  };
}

/** Its seventy modules are loaded with the first file: most starts read none. */
function loadYaml(): typeof import('yaml') {
  return createRequire(import.meta.url)('yaml');
}

function formatPath(path: KeyPath): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`),
    '',
  );
}
