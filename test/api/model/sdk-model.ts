/**
 * The inputs of all operations, read from the SDK's own runtime schemas: members, types, which of them are required. The
 * schemas leave enumerations out, so these come from its type declarations.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as client from '@aws-sdk/client-servicediscovery';

export type Shape =
  | { readonly kind: 'text'; readonly values?: readonly string[] }
  | { readonly kind: 'number' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'list'; readonly item: Shape }
  | { readonly kind: 'map'; readonly value: Shape }
  | Structure;

export interface Structure {
  readonly kind: 'structure';
  /** The model's name for it, such as `CreateServiceRequest`. */
  readonly name: string;
  readonly members: ReadonlyMap<string, Member>;
}

export interface Member {
  readonly isRequired: boolean;
  readonly shape: Shape;
}

/** A static schema of the SDK, or a number for a simple one; see @smithy/types, static-schemas. */
type Schema = number | readonly unknown[] | (() => Schema);

const LIST = 1;
const MAP = 2;
const STRUCTURE = 3;
const OPERATION = 9;
/** Set in the number of a list, or of a map, of a simple schema. */
const LIST_OF = 64;
const MAP_OF = 128;
const SIMPLE: Readonly<Record<number, Shape>> = {
  0: { kind: 'text' },
  1: { kind: 'number' },
  2: { kind: 'boolean' },
};

/** Every operation's input, by the operation's name. */
export function readInputs(): ReadonlyMap<string, Structure> {
  const enums = readEnums();
  const inputs = new Map<string, Structure>();
  for (const schema of Object.values(client) as unknown[]) {
    if (!Array.isArray(schema) || schema[0] !== OPERATION) continue;
    inputs.set(schema[2] as string, readShape(schema[4] as Schema, enums) as Structure);
  }
  return new Map([...inputs].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function readShape(reference: Schema, enums: Enums): Shape {
  if (typeof reference === 'function') return readShape(reference(), enums);
  if (typeof reference === 'number') return readSimple(reference);
  // A schema with traits, such as that a member is an idempotency token.
  if (reference.length === 2) return readShape(reference[0] as Schema, enums);
  const [kind, , name, , content, more, required = 0] = reference;
  switch (kind) {
    case LIST:
      return { kind: 'list', item: readShape(content as Schema, enums) };
    case MAP:
      return { kind: 'map', value: readShape(more as Schema, enums) };
    case STRUCTURE: {
      const members = (content as readonly string[]).map((member, i): [string, Member] => {
        const shape = readShape((more as readonly Schema[])[i] as Schema, enums);
        const values = enums.get(`${name}.${member}`);
        return [
          member,
          { isRequired: i < (required as number), shape: values === undefined ? shape : { kind: 'text', values } },
        ];
      });
      return { kind: 'structure', name: name as string, members: new Map(members) };
    }
    default:
      throw new Error(`the SDK has a schema of a kind that these tests do not know: ${JSON.stringify(reference)}`);
  }
}

function readSimple(schema: number): Shape {
  if (schema & MAP_OF) return { kind: 'map', value: readSimple(schema & ~MAP_OF) };
  if (schema & LIST_OF) return { kind: 'list', item: readSimple(schema & ~LIST_OF) };
  const shape = SIMPLE[schema];
  if (shape === undefined) throw new Error(`the SDK has a simple schema that these tests do not know: ${schema}`);
  return shape;
}

/** `DnsRecord.Type` -> its values. */
type Enums = ReadonlyMap<string, readonly string[]>;

function readEnums(): Enums {
  const enums = new Map<string, readonly string[]>();
  for (const { name, type } of readDeclaredMembers()) {
    const values = (client as Readonly<Record<string, unknown>>)[type];
    // Enumerations are exported as objects, structures as types alone.
    if (typeof values === 'object' && values !== null) enums.set(name, Object.values(values) as string[]);
  }
  return enums;
}

export interface DeclaredMember {
  /** `DnsRecord.Type` */
  readonly name: string;
  readonly type: string;
  readonly isOptional: boolean;
}

/** The members of the SDK's interfaces, as its type declarations have them. */
export function readDeclaredMembers(): DeclaredMember[] {
  const main = createRequire(import.meta.url).resolve('@aws-sdk/client-servicediscovery');
  const folder = join(dirname(main), '../dist-types/models');
  const text = readdirSync(folder)
    .filter((file) => file.startsWith('models_'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
  return [...text.matchAll(/^export interface (\w+) \{\n(.*?)^\}/gms)].flatMap(([, owner, body]) =>
    [...`${body}`.matchAll(/^ {4}(\w+)(\??): (.+) \| undefined;$/gm)].map(([, member, mark, type]) => ({
      name: `${owner}.${member}`,
      type: `${type}`,
      isOptional: mark === '?',
    })),
  );
}
