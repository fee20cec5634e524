/**
 * The types and limits of every operation's input, one `describe` per operation; the cases are generated from the SDK's
 * own model. What goes across members, and what the operations do, is in the files of their resources.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTIONS } from '../../../src/api/wire.ts';
import { startApi, type TestApi } from '../../support/api.ts';
import { type Attempt, type Case, casesOf } from './cases.ts';
import { answerTo, inputWith, makeWorld, type World } from './inputs.ts';
import { readInputs } from './sdk-model.ts';

let api: TestApi;
let world: World;
beforeAll(async () => {
  // What is refused here is refused for its form, never for a quota that a configuration may lift.
  api = await startApi({
    quotaNamespaces: '0',
    quotaInstancesPerNamespace: '0',
    quotaInstancesPerService: '0',
    quotaTags: '0',
  });
  world = await makeWorld(api);
});
afterAll(() => api.close());

const INPUTS = readInputs();

describe.each([...INPUTS])('%s', (operation, structure) => {
  const cases = casesOf(structure);
  const run = ({ group, name, attempts }: Case, wanted: Case['group']) => {
    if (group !== wanted) return;
    it(name, async () => {
      for (const attempt of attempts) await expectAnswer(operation, attempt);
    });
  };

  describe('types', () => {
    for (const each of cases) run(each, 'types');
  });

  describe('validation', () => {
    for (const each of cases) run(each, 'validation');
  });
});

async function expectAnswer(operation: string, { path, value, refusal, names = path.join('.') }: Attempt) {
  const input = await inputWith(world, operation, path, value);
  if (refusal !== null) {
    // An error beyond the common ones says by its type what it is about.
    const message = refusal.includes('Limit') ? /\S/ : new RegExp(`^${names.replaceAll('.', '\\.')}[.:]`);
    return api.refused(operation, input, refusal, message);
  }
  const answer = answerTo(operation, path, value);
  if (answer === null) await api.ok(operation, input);
  else await api.refused(operation, input, answer.type, answer.message);
}

it('covers every action', () => {
  expect([...INPUTS.keys()]).toEqual([...ACTIONS.keys()].sort());
});
