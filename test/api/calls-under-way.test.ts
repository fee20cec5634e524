import { expect, it } from 'vitest';
import { createApp, TARGET_PREFIX } from '../../src/api/server.ts';
import { registerApi } from '../../src/api/wire.ts';
import { createLog } from '../../src/log.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { openRegistry } from '../support/registry.ts';

const CALLS = 3;

it('are as many as memory allows: others are told to come again', async () => {
  const inner = openMemoryStore();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const { registry } = await openRegistry(
    {},
    {
      ...inner,
      async commit(changes, basis) {
        reached.resolve();
        await gate;
        return inner.commit(changes, basis);
      },
    },
  );
  const app = createApp();
  registerApi(app, () => registry, new Map(), { ec2: null }, createLog('error'), CALLS);
  const create = (name: string) =>
    app.inject({
      method: 'POST',
      url: '/',
      headers: { 'x-amz-target': `${TARGET_PREFIX}CreateHttpNamespace` },
      payload: JSON.stringify({ Name: name }),
    });
  const waiting = Array.from({ length: CALLS }, (_, n) => create(`n-${n}`));
  await reached.promise;
  const refused = await create('one-more');
  expect({ status: refused.statusCode, body: refused.json() }).toMatchObject({
    status: 503,
    body: { __type: 'ServiceUnavailable' },
  });
  open();
  expect((await Promise.all(waiting)).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
  expect((await create('one-more')).statusCode).toBe(200);
  // Those that were refused for another reason leave their place too.
  for (let n = 0; n < CALLS * 2; n++) expect((await create('one-more')).statusCode).toBe(400);
  expect((await create('last')).statusCode).toBe(200);
  expect([...registry.state.namespaces()].map(({ name }) => name)).toEqual(['n-0', 'n-1', 'n-2', 'one-more', 'last']);
});
