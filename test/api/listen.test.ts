import { Agent, get } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { listenHttp } from '../../src/api/listen.ts';
import { createApp } from '../../src/api/server.ts';

/** Longer than any test may take. */
const NEVER_MS = 600_000;

it('closing waits for requests under way, and not for clients that keep their connections then', async () => {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const app = createApp();
  app.get('/slow', async () => {
    reached.resolve();
    await gate;
    return 'done';
  });
  const listeners = await listenHttp(app, [{ address: '127.0.0.1', port: 0 }]);
  const agent = new Agent({ keepAlive: true });
  const answered = new Promise<string>((resolve, reject) => {
    const options = { agent, port: listeners.addresses[0]?.port, path: '/slow' };
    get(options, (response) => resolve(text(response))).once('error', reject);
  });
  await reached.promise;
  const closed = listeners.close(NEVER_MS);
  open();
  expect(await answered).toBe('done');
  await closed;
  agent.destroy();
});
