/** SIGHUP at moments when there is nothing to reload yet, or any more. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { makeFolder, spawnDaemon } from '../support/daemon.ts';
import { startFakeEc2 } from '../support/fake-ec2.ts';
import { runCommand, runsToSuccess, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { logOf, reloadsOf } from '../support/reloading.ts';

const journey = setUpJourney();
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

it('during the start it is remembered, and what the file says by then is read', async () => {
  // The start waits for the address of a declared EC2 instance for as long as we like.
  const ec2 = await startFakeEc2({ 'i-1': '10.1.1.1' });
  const waiting: ServerResponse[] = [];
  const gate = createServer((_, response) => waiting.push(response));
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    gate.closeAllConnections();
    gate.close();
    await ec2.close();
  });
  const text = `ec2Endpoint: http://127.0.0.1:${(gate.address() as AddressInfo).port}
namespaces:
  - name: jobs
    type: HTTP
    services:
      - name: worker
        instances: [{ id: one, attributes: { AWS_EC2_INSTANCE_ID: i-1 } }]
`;
  const CONFIG = journey.writeFile('content.yaml', text);
  const daemon = spawnDaemon({ dataDir: journey.newPath(), settings: { CONFIG } });
  onTestFinished(async () => {
    daemon.child.kill('SIGKILL');
    await daemon.exited;
  });
  const first = await waitFor('the start to ask', () => waiting.shift() ?? null);
  for (let i = 0; i < 3; i++) daemon.child.kill('SIGHUP');
  writeFileSync(
    CONFIG,
    text.replace('i-1', 'i-2').replace('worker', 'runner').concat('ec2Instances: { i-2: 10.1.1.2 }\n'),
  );
  const reply = await fetch(ec2.endpoint, {
    method: 'POST',
    body: 'Action=DescribeInstances&InstanceId.1=i-1',
  });
  first.writeHead(200, { 'content-type': 'text/xml' }).end(await reply.text());
  await waitFor('the reload', () => (reloadsOf(daemon).length > 0 ? true : null));
  expect(daemon.stdout()).toContain('list-namespaces');
  // The address; the new service and its instance; the old ones.
  expect(reloadsOf(daemon)).toEqual(['3 created, 2 removed']);
  daemon.child.kill('SIGTERM');
  expect(await daemon.exited).toBe(0);
});

it('while stopping it is ignored', async () => {
  const CONFIG = journey.writeFile('content.yaml', '');
  const daemon = await journey.start({ settings: { CONFIG } });
  // A request that is under way: the daemon waits for it.
  const body = '{"Name":"last"}';
  const socket = connect(daemon.httpPort, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  const head = [
    'POST / HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/x-amz-json-1.1',
    'X-Amz-Target: Route53AutoNaming_v20170314.CreateHttpNamespace',
    `Content-Length: ${body.length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body.slice(0, 5)}`);
  // Sent later and answered: the daemon has read the part.
  expect((await fetch(`${daemon.endpoint}/healthz`)).status).toBe(200);
  const exited = daemon.stop('SIGTERM');
  await waitFor('the port to be closed', () =>
    fetch(`${daemon.endpoint}/healthz`).then(
      () => null,
      () => true,
    ),
  );
  const reply = once(socket, 'data');
  writeFileSync(CONFIG, 'wrong: 1\n');
  process.kill(daemon.pid, 'SIGHUP');
  socket.write(body.slice(5));
  expect(String((await reply)[0])).toMatch(/^HTTP\/1\.1 200 /);
  expect(await exited).toBe(0);
  expect(logOf(daemon)).toEqual([]);
});

it('of a terminal that is closed ends the daemon, as whoever started it there is gone', async (context) => {
  if (!runsToSuccess('python3', ['-c', 'import pty'])) context.skip('this machine has no Python with pseudo-terminals');
  const folder = makeFolder();
  onTestFinished(folder.remove);
  const script = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while b"list-namespaces" not in said:
    said += os.read(terminal, 65536)
os.close(terminal)
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status))
`;
  const serve = [process.execPath, MAIN, 'serve', '--http', '127.0.0.1:0', '--dns', '127.0.0.1:0', '--data-dir'];
  const { code, stdout, stderr } = await runCommand('python3', ['-c', script, ...serve, folder.path]);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '0\n', stderr: '' });
});
