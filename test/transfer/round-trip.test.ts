/** Whatever a registry holds comes back: exactly by JSON, as far as a file can say it by YAML. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkContent } from '../../src/declared/declare.ts';
import { readContent } from '../../src/declared/schema.ts';
import { parseYaml } from '../../src/declared/yaml.ts';
import type { RegistryOptions } from '../../src/registry/decision.ts';
import type { Store } from '../../src/store/store.ts';
import { ImportError, type ImportReport } from '../../src/transfer/report.ts';
import { dump, OPTIONS, openRegistry, type TestRegistry } from '../support/registry.ts';
import { exported, imported, storedIn } from '../support/transfer.ts';
import { type Act, actsArbitrary, doAll } from './random-registry.ts';

const SEED = Number(process.env.PROPERTY_SEED ?? Date.now() % 2 ** 31);
const RUNS = Number(process.env.PROPERTY_RUNS ?? 150);
const PARAMETERS = { seed: SEED, numRuns: RUNS } as const;

const optionsArbitrary: fc.Arbitrary<Partial<RegistryOptions>> = fc.record({
  allowsPrivateHealthChecks: fc.boolean(),
  operationDelayMs: fc.constantFrom(0, 0, 60_000),
  customHealthDelayMs: fc.constantFrom(0, 0, 5000),
  ec2Instances: fc.constant({ 'i-1': '10.9.9.9' }),
});

async function made(acts: readonly Act[], options: Partial<RegistryOptions>): Promise<TestRegistry> {
  const made = await openRegistry(options);
  await doAll(made.registry, made.clock, acts);
  return made;
}

/** Later than the other one, as imports are. */
async function emptyAfter({ clock }: TestRegistry, options: Partial<RegistryOptions>): Promise<TestRegistry> {
  return openRegistry(options, undefined, { now: clock.now + 1000 });
}

const countOf = ({ created, changed }: ImportReport): number =>
  [created, changed].reduce((sum, counts) => sum + counts.namespaces + counts.services + counts.instances, 0);

/** Of what the instances were that a file cannot bring back. */
const withoutComments = (yaml: string): string => yaml.replace(/^ *# .*\n/gm, '');

describe(`a registry (seed ${SEED})`, () => {
  it('comes back by JSON byte for byte, and from the store of the new one too', async () => {
    await fc.assert(
      fc.asyncProperty(actsArbitrary, optionsArbitrary, async (acts, options) => {
        const from = await made(acts, options);
        const text = exported(from.registry, 'json');
        const to = await emptyAfter(from, options);
        await imported(to.registry, text);
        expect(exported(to.registry, 'json')).toBe(text);
        expect(exported(await to.reopen(), 'json')).toBe(text);
        expect(exported(to.registry, 'yaml')).toBe(exported(from.registry, 'yaml'));
      }),
      PARAMETERS,
    );
  });

  it('comes back by YAML as far as a file can say it, and a start takes that file', async () => {
    await fc.assert(
      fc.asyncProperty(actsArbitrary, optionsArbitrary, async (acts, options) => {
        const from = await made(acts, options);
        const text = exported(from.registry, 'yaml');
        const yaml = parseYaml('export.yaml', text);
        const content = readContent(yaml);
        // The map of EC2 instances is the file's own then.
        checkContent(content, yaml, { ...OPTIONS, ...options, ec2Instances: content.ec2Instances });
        const to = await emptyAfter(from, { ...options, ec2Instances: {} });
        await imported(to.registry, yaml.value);
        expect(exported(to.registry, 'yaml')).toBe(withoutComments(text));
      }),
      PARAMETERS,
    );
  });

  it('stays as it is when its own export comes, and nothing is written', async () => {
    await fc.assert(
      fc.asyncProperty(actsArbitrary, optionsArbitrary, async (acts, options) => {
        const { registry, store, clock } = await made(acts, options);
        clock.now += 1000;
        const before = await storedIn(store);
        const json = await imported(registry, exported(registry, 'json'));
        expect([countOf(json), json.differences]).toEqual([0, []]);
        const yaml = await imported(registry, parseYaml('export.yaml', exported(registry, 'yaml')).value);
        expect([countOf(yaml), yaml.differences]).toEqual([0, []]);
        expect(await storedIn(store)).toEqual(before);
      }),
      PARAMETERS,
    );
  });

  it('is told by a dry run what an import then does, or why it does nothing', async () => {
    const seen = { done: 0, refused: 0, changed: 0 };
    await fc.assert(
      fc.asyncProperty(
        actsArbitrary,
        actsArbitrary,
        fc.boolean(),
        fc.constantFrom('json', 'yaml'),
        optionsArbitrary,
        async (acts, more, isSame, format, options) => {
          // Either what it was itself a while ago, or what another one is.
          const to = await made(acts, options);
          const from = isSame ? to : await made(more, options);
          const text = exported(from.registry, format as 'json');
          const document = format === 'json' ? text : parseYaml('export.yaml', text).value;
          if (isSame) await doAll(to.registry, to.clock, more);
          to.clock.now += 1000;
          const before = await snapshotOf(to);
          const dry = await imported(to.registry, document, true).catch(problemOf);
          expect(await snapshotOf(to)).toEqual(before);
          const real = await imported(to.registry, document).catch(problemOf);
          if (typeof dry === 'string' || typeof real === 'string') {
            expect(real).toBe(dry);
            expect(await snapshotOf(to)).toEqual(before);
            seen.refused++;
            return;
          }
          expect(withoutIds(real)).toEqual(withoutIds({ ...dry, dryRun: false }));
          expect(dump((await to.reopen()).state)).toEqual(dump(to.registry.state));
          const after = await snapshotOf(to);
          expect((await imported(to.registry, document)).differences).toEqual([]);
          expect(await snapshotOf(to)).toEqual(after);
          seen.done++;
          if (countOf(real) > 0) seen.changed++;
        },
      ),
      PARAMETERS,
    );
    // Else the property says little.
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(RUNS / 10);
  });
});

async function snapshotOf({ registry, store }: { registry: TestRegistry['registry']; store: Store }) {
  return { state: dump(registry.state), store: await storedIn(store) };
}

function problemOf(error: unknown): string {
  if (error instanceof ImportError) return error.message;
  throw error;
}

/** A dry run does not know what ids will be made. */
function withoutIds(report: ImportReport): object {
  return { ...report, differences: report.differences.map(({ id: _, ...rest }) => rest) };
}
