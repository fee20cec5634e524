/** `cloudmapd watch`, beside a daemon in which things happen: under a pipe and under a terminal. */
import {
  CreateHttpNamespaceCommand,
  CreateServiceCommand,
  GetNamespaceCommand,
} from '@aws-sdk/client-servicediscovery';
import { afterEach, describe, expect, it } from 'vitest';
import { expectFailure, runCli, startCli } from '../support/cli.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { examine } from '../support/doctor.ts';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, shareDaemon, waitFor } from '../support/journey-tools.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { requireTerminal, startInTerminal } from '../support/terminal.ts';

// First, so that daemons are gone before the disk that they run on.
const disks: SmallDisk[] = [];
afterEach(async () => {
  for (const disk of disks.splice(0)) await disk.close();
});
const journey = setUpJourney();
const daemon = shareDaemon({ settings: { STORE: 'memory' } });

/** The command, once it misses nothing: its header is there. */
async function look(endpoint: string, ...args: string[]) {
  const { child, ended } = startCli(['watch', ...args], { env: { CLOUDMAPD_ENDPOINT: endpoint } });
  let seen = '';
  child.stdout.on('data', (chunk) => {
    seen += chunk;
  });
  const lines = (count: number): Promise<string[]> =>
    waitFor(`${count} lines of ${args}`, () => {
      const all = seen.split('\n').slice(0, -1);
      return all.length >= count ? all : null;
    });
  await lines(1);
  return { child, ended, lines };
}

/** A service with a custom check, in a namespace of its own. */
async function makeService({ endpoint }: RunningDaemon, name: string) {
  const api = new Api(endpoint);
  const namespaceId = await api.createNamespace(name);
  const serviceId = await api.createService(namespaceId, 'web', { HealthCheckCustomConfig: {} });
  return { api, namespaceId, serviceId };
}

describe('under a pipe', () => {
  it('tells what happens in aligned columns, without colour, until it is interrupted', async () => {
    const { api, serviceId } = await makeService(daemon(), 'piped.internal');
    const { child, ended, lines } = await look(daemon().endpoint, 'piped.internal');
    await api.register(serviceId, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.7', stage: 'beta' });
    await api.setHealth(serviceId, 'web-1', 'UNHEALTHY');
    await api.deregister(serviceId, 'web-1');
    const all = await lines(4);
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(all[0]).toMatch(/^TIME {10}EVENT {14}OF {28}WHAT$/);
    const columns = all.slice(1).map((line) => line.split(/ {2,}/));
    expect(columns.map(([, ...rest]) => rest)).toEqual([
      ['instance-created', 'piped.internal/web/web-1', 'AWS_INSTANCE_IPV4=10.0.0.7 stage=beta'],
      ['health-changed', 'piped.internal/web/web-1', 'UNHEALTHY', '(UpdateInstanceCustomHealthStatus)'],
      ['instance-removed', 'piped.internal/web/web-1', 'AWS_INSTANCE_IPV4=10.0.0.7 stage=beta'],
    ]);
    for (const [time] of columns) expect(time).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
  });

  it('has a JSON document on each line with --json, of the service that was asked for alone', async () => {
    const { api, namespaceId, serviceId } = await makeService(daemon(), 'json.internal');
    const other = await api.createService(namespaceId, 'other');
    const arn = `arn:aws:servicediscovery:us-east-1:123456789012:service/${serviceId}`;
    const { child, ended } = startCli(['watch', namespaceId, arn, '--json'], {
      env: { CLOUDMAPD_ENDPOINT: daemon().endpoint },
    });
    let seen = '';
    child.stdout.on('data', (chunk) => {
      seen += chunk;
    });
    // It says nothing when it begins, so something happens until it is seen.
    let n = 0;
    await waitFor('a line', async () => {
      await api.register(other, `other-${n}`, { AWS_INSTANCE_IPV4: '10.0.0.9' });
      await api.register(serviceId, `web-${n++}`, { AWS_INSTANCE_IPV4: '10.0.0.7' });
      return seen.includes('\n') ? true : null;
    });
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
    const [first] = seen.split('\n');
    expect(JSON.parse(first as string)).toEqual({
      at: expect.any(String),
      event: 'instance-created',
      namespace: 'json.internal',
      namespaceId,
      service: 'web',
      serviceId,
      instance: expect.stringMatching(/^web-/),
      manager: 'api',
      attributes: { AWS_INSTANCE_IPV4: '10.0.0.7' },
    });
    expect(seen).not.toContain('other');
  });

  it('ends quietly when whoever reads has read enough', async () => {
    const { api, serviceId } = await makeService(daemon(), 'head.internal');
    const pipe = ['sh', '-c', '"$0" "$@" | head -n 2'];
    const { child, ended } = startCli(['watch', 'head.internal'], {
      env: { CLOUDMAPD_ENDPOINT: daemon().endpoint },
      launcher: pipe,
    });
    let hasEnded = false;
    void ended.then(() => {
      hasEnded = true;
    });
    for (let n = 0; child.exitCode === null && !hasEnded; n++) {
      await api.register(serviceId, `web-${n}`, { AWS_INSTANCE_IPV4: '10.0.0.7' });
    }
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')).toHaveLength(3);
  });
});

describe('under a terminal', () => {
  it('has colours, and ends by Ctrl-C without a word', async (context) => {
    requireTerminal(context);
    const { api, serviceId } = await makeService(daemon(), 'terminal.internal');
    await api.register(serviceId, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.7' });
    const terminal = startInTerminal(['watch', 'terminal.internal'], {
      env: { CLOUDMAPD_ENDPOINT: daemon().endpoint },
    });
    await terminal.shows('WHAT');
    await api.setHealth(serviceId, 'web-1', 'UNHEALTHY');
    await terminal.shows('UNHEALTHY');
    expect(terminal.screen()).toContain('\u001b[31mUNHEALTHY');
    const before = terminal.text();
    terminal.interrupt();
    expect(await terminal.ended).toBe(0);
    expect(terminal.text().slice(before.length).replace('^C', '').trim()).toBe('');
  });
});

it('tells that the store fails and is well again, whatever it is to tell of; doctor says where to look', async (context) => {
  const disk = await SmallDisk.create(context, '16m');
  disks.push(disk);
  const own = await journey.start({ dataDir: disk.path, launcher: disk.launcher });
  const { child, ended, lines } = await look(own.endpoint, 'none.internal');
  const api = new Api(own.endpoint);
  disk.fill();
  let n = 0;
  await waitFor('the outage', () =>
    api.createNamespace(`n${n++}.internal`).then(
      () => null,
      () => true,
    ),
  );
  expect((await lines(2))[1]).toMatch(/^\S+ {2}store-failed {2,}\S.*/);
  const { of } = await examine(own.endpoint);
  expect(of('ready')).toMatchObject([
    { status: 'problem', message: expect.stringContaining('is not ready: '), mend: [`df -h ${disk.path}`] },
  ]);
  disk.free();
  expect((await lines(3))[2]).toMatch(/^\S+ {2}store-recovered$/);
  child.kill('SIGINT');
  // Who waits for what is not there is told so.
  expect(await ended).toMatchObject({ code: 0, stderr: expect.stringContaining('there is no namespace') });
});

it('says in one line that the daemon has gone', async () => {
  const own = await journey.start({ settings: { STORE: 'memory' } });
  const { ended } = await look(own.endpoint);
  expect(await own.stop()).toBe(0);
  const { code, stderr } = await ended;
  expect(code).toBe(1);
  expect(stderr).toBe(`cloudmapd: the daemon at ${own.endpoint} tells no more: it has stopped\n`);
});

it('says in one line that it was cut off, where more happens at once than the daemon keeps for it', async () => {
  const own = await journey.start({ settings: { STORE: 'memory' } });
  const { ended } = await look(own.endpoint);
  const attributes = Object.fromEntries([1, 2, 3, 4].map((key) => [`k${key}`, 'x'.repeat(1000)]));
  const instances = Array.from({ length: 9000 }, (_, i) => ({ id: `i-${i}`, attributes }));
  const content = { namespaces: [{ name: 'large', type: 'HTTP', services: [{ name: 'large', instances }] }] };
  // All of it happens in one turn, and no socket takes 36 MB in one.
  const response = await fetch(`${own.endpoint}/admin/import`, { method: 'POST', body: JSON.stringify(content) });
  expect(response.status).toBe(200);
  const { code, stdout, stderr } = await ended;
  expect(code).toBe(1);
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^\S+ {2}cut-off +this client reads too slowly: /);
  expect(stderr).toMatch(/^cloudmapd: the daemon at \S+ tells no more: this client reads too slowly: [^\n]+\n$/);
});

it('says in one line that it was killed', async () => {
  const own = await journey.start({ settings: { STORE: 'memory' } });
  const { ended } = await look(own.endpoint);
  await own.stop('SIGKILL');
  const { code, stderr } = await ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^cloudmapd: the daemon at \S+ tells no more: [^\n]+\n$/);
});

it('refuses what nothing can be called', async () => {
  const run = (...args: string[]) => runCli(['watch', ...args, '--endpoint', daemon().endpoint]);
  expectFailure(await run('no name'), 2, 'cloudmapd: namespace: "no name" is no name, id or ARN of a namespace\n');
  expectFailure(await run('x.internal', 'a..b'), 2, 'cloudmapd: service: "a..b" is no name, id or ARN of a service\n');
});

describe('what is not there', () => {
  const env = () => ({ CLOUDMAPD_ENDPOINT: daemon().endpoint });
  /** The command, once it has said what it has to say. */
  const told = async (...args: string[]) => {
    const { child, ended } = startCli(['watch', ...args, '--json'], { env: env() });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    await waitFor('a word', () => (stderr.includes('\n') ? true : null));
    const line = () =>
      waitFor('a line', () => (stdout.includes('\n') ? JSON.parse(stdout.split('\n')[0] as string) : null));
    return { child, ended, stderr: () => stderr, line };
  };

  it('is said once, and is watched for all the same', async () => {
    const namespace = await told('later.internal');
    expect(namespace.stderr()).toMatch(
      /^cloudmapd: there is no namespace "later\.internal"; [^\n]+ \(watching for it\)\n$/,
    );
    const { namespaceId } = await makeService(daemon(), 'later.internal');
    expect(await namespace.line()).toMatchObject({ event: 'namespace-created', namespace: 'later.internal' });
    const service = await told('LATER.internal', 'api');
    expect(service.stderr()).toBe(
      'cloudmapd: there is no service "api" in later.internal; there is web (watching for it)\n',
    );
    await new Api(daemon().endpoint).createService(namespaceId, 'api');
    expect(await service.line()).toMatchObject({ event: 'service-created', service: 'api' });
    for (const { child, ended } of [namespace, service]) {
      child.kill('SIGINT');
      expect(await ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/^[^\n]+\n$/) });
    }
  });

  it('is not said of what is there by another case, by its id or by its HttpName', async () => {
    const { api, serviceId } = await makeService(daemon(), 'same.internal');
    const { OperationId } = await api.sdk.send(new CreateHttpNamespaceCommand({ Name: 'same.internal' }));
    const other = (await api.operation(OperationId)).Targets?.NAMESPACE as string;
    const { Namespace } = await api.sdk.send(new GetNamespaceCommand({ Id: other }));
    const httpName = Namespace?.Properties?.HttpProperties?.HttpName as string;
    expect(httpName).not.toBe('same.internal');
    const watching = await Promise.all([
      look(daemon().endpoint, 'SAME.internal', 'WEB'),
      look(daemon().endpoint, 'same.internal', serviceId),
      look(daemon().endpoint, other),
      look(daemon().endpoint, httpName),
    ]);
    await api.register(serviceId, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.7' });
    await api.sdk.send(new CreateServiceCommand({ NamespaceId: other, Name: 'jobs' }));
    const [byCase, byId, byNamespaceId, byHttpName] = await Promise.all(watching.map(({ lines }) => lines(2)));
    for (const lines of [byCase, byId]) expect(lines?.[1]).toContain('same.internal/web/web-1');
    for (const lines of [byNamespaceId, byHttpName])
      expect(lines?.[1]).toMatch(/service-created +same\.internal\/jobs/);
    for (const { child, ended } of watching) {
      child.kill('SIGINT');
      expect(await ended).toMatchObject({ code: 0, stderr: '' });
    }
  });
});
