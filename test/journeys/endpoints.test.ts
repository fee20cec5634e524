/** Every command says in one way that there is no daemon where it asks, and who answers there instead. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectFailure, runCli } from '../support/cli.ts';
import { httpRelayTo } from '../support/http-relay.ts';
import { setUpJourney, shareDaemon } from '../support/journey-tools.ts';

const NOBODY = 'http://127.0.0.1:1';
const journey = setUpJourney();
const daemon = shareDaemon({ settings: { STORE: 'memory' } });

const COMMANDS = [
  'ls',
  'discover a b',
  'register a b c',
  'deregister a b c',
  'health a b',
  'wait a b --timeout 0',
  'flush',
  'explain a.b',
  'queries',
  'watch',
  'export',
  'backup copy.db',
  'import FILE',
];

let servers: Server[] = [];
let file: string;
beforeEach(() => {
  servers = [];
  file = journey.writeFile('content.json', '{"namespaces":[]}');
});
afterEach(() => {
  for (const server of servers) server.close();
});

/** Runs them all, a few at a time. */
async function runAll(commands: readonly string[], ...flags: string[]) {
  const ended = [];
  for (let at = 0; at < commands.length; at += 4) {
    ended.push(
      ...(await Promise.all(
        commands.slice(at, at + 4).map(async (command) => {
          const args = command.replace('FILE', file).split(' ');
          return { command, ended: await runCli([...args, ...flags], { cwd: dirname(file) }) };
        }),
      )),
    );
  }
  return ended;
}

it('nobody', async () => {
  for (const { ended } of await runAll(COMMANDS, '--endpoint', NOBODY)) {
    expectFailure(ended, 1, `cloudmapd: no cloudmapd answers at ${NOBODY}: connect ECONNREFUSED 127.0.0.1:1`);
  }
});

describe('something else', () => {
  it.each<[string, number, string]>([
    ['a page', 200, '<html>'],
    ['a page that is not there', 404, '<html>'],
    ['JSON of its own', 200, '{"hello":"world"}'],
    ['JSON of its own that says no', 404, '{"error":"no such page","message":"no such page"}'],
    ['nothing', 502, ''],
  ])('%s', async (_, status, body) => {
    const server = createServer((_request, response) => response.writeHead(status).end(body)).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const { ended } of await runAll(COMMANDS, '--endpoint', endpoint)) {
      expectFailure(ended, 1, `cloudmapd: no cloudmapd answers at ${endpoint}: something else answers (`);
    }
  });
});

it('an endpoint that is none is wrong usage, also of the environment', async () => {
  for (const { ended } of await runAll(COMMANDS, '--endpoint', 'localhost:8053')) {
    expectFailure(ended, 2, '--endpoint: "localhost:8053" is no URL such as http://127.0.0.1:8053');
  }
  for (const command of ['explain a.b', 'queries', 'watch', 'export', 'ls']) {
    const ended = await runCli(command.split(' '), { env: { CLOUDMAPD_ENDPOINT: 'https://x' } });
    expectFailure(ended, 2, 'CLOUDMAPD_ENDPOINT: "https://x": the daemon is asked over http alone');
  }
});

it('a daemon under a name that is not its own refuses, and is no other program', async () => {
  const { endpoint } = await httpRelayTo(daemon().endpoint, { headers: { host: 'other.example' } });
  const commands = ['flush', 'explain a.b', 'queries', 'watch', 'export', 'backup copy.db', 'import FILE'];
  for (const { ended } of await runAll(commands, '--endpoint', endpoint)) {
    expectFailure(ended, 1, 'other.example');
    expect(ended.stderr).not.toContain('something else');
  }
});
