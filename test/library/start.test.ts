import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileFunction, createContext } from 'node:vm';
import { ServiceDiscoveryServiceException } from '@aws-sdk/client-servicediscovery';
import { type Cloudmapd, type Config, type StartOptions, start } from 'cloudmapd';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadConfiguration } from '../../src/config.ts';
import { parseYaml } from '../../src/declared/yaml.ts';
import { readOptions } from '../../src/library/options.ts';
import { askUdp, buildQuery, dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { runCommand, setUpJourney, waitFor } from '../support/journey-tools.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
// Each start loads the sources anew. Threads take it from the environment as it is then.
process.env.NODE_COMPILE_CACHE = join(tmpdir(), 'cloudmapd-test-compile-cache');

const journey = setUpJourney();
const running: Cloudmapd[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()));
});

async function started(options?: StartOptions): Promise<Cloudmapd> {
  const cloudmap = await start(options);
  running.push(cloudmap);
  return cloudmap;
}

/** A namespace of one service with so many instances. */
function shop(name = 'shop.internal', count = 3): Config {
  const instances = Array.from({ length: count }, (_, n) => ({
    id: `web-${n}`,
    attributes: { AWS_INSTANCE_IPV4: `10.0.0.${n}` },
  }));
  const records = [{ type: 'A', ttl: 5 }] as const;
  return {
    namespaces: [{ name, type: 'DNS_PRIVATE', vpc: 'vpc-1', services: [{ name: 'web', dns: { records }, instances }] }],
  };
}

async function answers({ dns }: Cloudmapd, name: string, count: number): Promise<string[]> {
  const list: string[] = [];
  for (let i = 0; i < count; i++) list.push((await dig(dns.port, name, 'A')).answer.join());
  return list;
}

describe('start', () => {
  it('gives an endpoint and a DNS server on free ports of loopback', async () => {
    const { endpoint, dns } = await started();
    expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(dns).toEqual({ address: '127.0.0.1', port: expect.any(Number) });
    const api = new Api(endpoint);
    const id = await api.createNamespace('made.internal');
    await api.register(await api.createService(id, 'web'), 'web-1', { AWS_INSTANCE_IPV4: '10.1.1.1' });
    expect((await dig(dns.port, 'web.made.internal', 'A')).answer).toEqual(['web.made.internal. 60 IN A 10.1.1.1']);
    expect(await (await fetch(`${endpoint}/admin/info`)).json()).toMatchObject({ store: 'memory', dataDir: null });
  });

  it('gives several at once, which have nothing in common', async () => {
    const [one, two] = await Promise.all([
      started({ config: shop('one.internal') }),
      started({ config: shop('two.internal') }),
    ]);
    expect((await dig(one.dns.port, 'web.one.internal', 'A')).answer).toHaveLength(3);
    expect((await dig(one.dns.port, 'web.two.internal', 'A')).rcode).toBe('REFUSED');
    expect((await dig(two.dns.port, 'web.two.internal', 'A')).answer).toHaveLength(3);
    await one.close();
    expect((await dig(two.dns.port, 'web.two.internal', 'A')).answer).toHaveLength(3);
  });

  it('takes a file, or what stands in one, and settings that win over it', async () => {
    const yaml = `region: eu-west-1\naccountId: '111111111111'\nhttp: 127.0.0.1:1\nnamespaces: [{ name: file.internal, type: HTTP }]\n`;
    const path = journey.writeFile('cloudmapd.yaml', yaml);
    const { endpoint } = await started({ config: path, settings: { region: 'us-west-2', dnsMaxTtl: 1 } });
    const exported = await (await fetch(`${endpoint}/admin/export?format=json`)).json();
    expect(exported).toMatchObject({
      region: 'us-west-2',
      accountId: '111111111111',
      namespaces: [{ name: 'file.internal' }],
    });
    const given = await started({ config: { ...shop(), soaTtl: 9, region: undefined } });
    expect((await dig(given.dns.port, 'shop.internal', 'SOA')).answer[0]).toMatch(/^shop\.internal\. 9 IN SOA /);
  });

  it('draws the same with the same seed, from start to start and from reset to reset', async () => {
    const config = shop('shop.internal', 12);
    const [one, two, other] = await Promise.all([
      started({ config, seed: 42 }),
      started({ config, seed: 42 }),
      started({ config, seed: 43 }),
    ]);
    const first = await answers(one, 'web.shop.internal', 5);
    expect(new Set(first).size).toBe(5);
    expect(await answers(two, 'web.shop.internal', 5)).toEqual(first);
    expect(await answers(other, 'web.shop.internal', 5)).not.toEqual(first);
    await one.reset();
    expect(await answers(one, 'web.shop.internal', 5)).toEqual(first);
  });

  it('rejects where it cannot, and what is wrong is the message', async () => {
    const wrong: StartOptions[] = [{ settings: { soaTtl: 'x' } }, { settings: { http: '127.0.0.1:1,127.0.0.1:1' } }];
    const [bad, used] = await Promise.all(wrong.map((options) => start(options).catch((error: Error) => error)));
    expect(bad).toMatchObject({
      name: 'SettingError',
      message: expect.stringMatching(/^soaTtl: "x" cannot be used: /),
    });
    expect(used).toMatchObject({
      name: 'SettingError',
      message: expect.stringMatching(/^CLOUDMAPD_HTTP: 127\.0\.0\.1:1 /),
    });
  });

  it('gives the log to whom it is asked for', async () => {
    const lines: string[] = [];
    const config = {
      namespaces: [
        { name: 'a.internal', type: 'DNS_PRIVATE', vpc: 'v' },
        { name: 'a.internal', type: 'DNS_PUBLIC' },
      ],
    } as const;
    await started({ config, settings: { log: 'warn' }, log: (line) => lines.push(line) });
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual([expect.stringContaining('a.internal')]);
  });
});

describe('a test that', () => {
  it('fakes timers and the clock stops its own alone', async () => {
    vi.useFakeTimers();
    try {
      const cloudmap = await started({ config: shop() });
      const call = await fetch(cloudmap.endpoint, {
        method: 'POST',
        body: JSON.stringify({ Name: 'made.internal', Vpc: 'vpc-1' }),
        headers: { 'x-amz-target': 'Route53AutoNaming_v20170314.CreatePrivateDnsNamespace' },
      });
      expect(call.status).toBe(200);
      await cloudmap.reset();
      await cloudmap.close();
    } finally {
      vi.useRealTimers();
    }
  });

  it('waits in a blocking call for somebody who asks the daemon gets an answer', async () => {
    const { endpoint, faults, reset } = await started({ config: shop() });
    const program = `fetch('${endpoint}/readyz').then(async (reply) => process.stdout.write(await reply.text()))`;
    expect(JSON.parse(execFileSync(process.execPath, ['--eval', program], { encoding: 'utf8' }))).toMatchObject({
      status: 'ready',
    });
    await expect(faults.add({ api: { operation: 'None', fault: 'fail' } })).rejects.toThrow('"None" is no operation');
    await reset();
  });
});

describe('a test runner that', () => {
  it('has a `require` of its own, and no `import`, as jest has: what is loaded is loaded as by Node', async () => {
    const file = join(ROOT, 'src/library/index.cjs');
    const outside = createRequire(file);
    class OwnModule extends outside('node:module').Module {
      static createRequire(): never {
        throw new Error('ES modules cannot be loaded here');
      }
    }
    const inside = (name: string): unknown => (name === 'node:module' ? OwnModule : outside(name));
    const names = ['require', 'exports', '__filename', '__dirname'];
    const run = compileFunction(readFileSync(file, 'utf8'), names, { parsingContext: createContext() });
    const exports = {} as { start: typeof start };
    run(inside, exports, file, join(file, '..'));
    const cloudmap = await exports.start({ config: shop() });
    running.push(cloudmap);
    expect((await dig(cloudmap.dns.port, 'web.shop.internal', 'A')).answer).toHaveLength(3);
  });
});

it('an older Node is told which one is needed, as by the command', () => {
  const older = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.9.0' } });";
  const failed = (program: string): string => {
    const { stdout, stderr } = spawnSync(process.execPath, ['--eval', older + program], { encoding: 'utf8' });
    return (stdout + stderr).trim();
  };
  const message = 'cloudmapd: Node 24 or newer is needed; this is 22.9.0';
  const library = JSON.stringify(join(ROOT, 'src/library/index.cjs'));
  expect(failed(`require(${library}).start().catch((error) => console.log(error.message))`)).toBe(message);
  expect(failed(`import(${JSON.stringify(join(ROOT, 'src/main.ts'))})`)).toBe(message);
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(engines).toEqual({ node: '>=24' });
});

describe('options', () => {
  it('take what stands in a file', () => {
    const file = join(ROOT, 'config/cloudmapd.example.yaml');
    const config = parseYaml(file, readFileSync(file, 'utf8')).value as Config;
    const { content, settings } = readOptions({
      config,
      seed: 7,
      settings: { upstreams: ['10.0.0.1', '10.0.0.2:54'] },
    });
    expect(content).toEqual(loadConfiguration({ config: file }, {}).content);
    expect(settings).toMatchObject({
      ...{ store: 'memory', seed: 7, faults: true, http: [{ address: '127.0.0.1', port: 0 }] },
      upstreams: [
        { address: '10.0.0.1', port: 53 },
        { address: '10.0.0.2', port: 54 },
      ],
    });
  });

  it.each<[string, object, string]>([
    ['an option that there is not', { seeds: 1 }, '"seeds" is no option of start(): config, seed, settings, log are'],
    ['a setting that there is not', { settings: { colour: 'red' } }, 'settings: "colour" is no setting'],
    ['a bad seed', { seed: 1.5 }, 'seed: "1.5" cannot be used: '],
    ['a bad setting', { settings: { soaTtl: 'x' } }, 'soaTtl: "x" cannot be used: '],
    ['a file that is not there', { config: '/none/such.yaml' }, 'config: cannot read "/none/such.yaml": '],
    ['an unknown key', { config: { colour: 1 } }, 'config: colour: is not a known key'],
    ['content of another form', { config: { namespaces: [{ name: 'x' }] } }, 'config: namespaces[0].type: '],
  ])('are refused: %s', (_, options, problem) => {
    const read = (): unknown => readOptions(options as StartOptions & { log?: boolean });
    expect(read).toThrow(expect.objectContaining({ message: expect.not.stringContaining('\n') }));
    expect(read).toThrow(problem);
  });
});

describe('reset', () => {
  it('brings the declared content back, faults gone', async () => {
    const cloudmap = await started({ config: shop() });
    const api = new Api(cloudmap.endpoint);
    await api.wipe();
    await cloudmap.faults.add({ api: { operation: '*', fault: 'fail' } });
    await cloudmap.reset();
    expect((await api.discover('shop.internal', 'web')).ids).toEqual(['web-0', 'web-1', 'web-2']);
    expect((await dig(cloudmap.dns.port, 'web.shop.internal', 'A')).answer).toHaveLength(3);
  });
});

describe('reset of what is probed', () => {
  it('has verdicts begin anew: as many probes as ever have to fail again', async () => {
    const lines: string[] = [];
    const services = [
      {
        name: 'web',
        healthCheck: { type: 'TCP', failureThreshold: 3 },
        // Nobody listens there.
        instances: [{ id: 'web-1', attributes: { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: 9 } }],
      },
    ] as const;
    const { reset, endpoint } = await started({
      config: { namespaces: [{ name: 'shop.internal', type: 'DNS_PUBLIC', services }] },
      settings: { healthIntervalMs: 20 },
      log: (line) => lines.push(JSON.parse(line).msg),
    });
    const verdicts = () => lines.filter((line) => line.includes('web-1 is'));
    const isDown = 'web: web-1 is UNHEALTHY (connect ECONNREFUSED, 3 in a row)';
    for (let round = 1; round <= 3; round++) {
      await waitFor('a verdict', () => (verdicts().length === round ? true : null));
      // The count goes on meanwhile.
      for (let i = 0; i < 20; i++) await fetch(`${endpoint}/healthz`);
      await reset();
    }
    expect(verdicts().slice(0, 3)).toEqual([isDown, isDown, isDown]);
  });
});

describe('faults', () => {
  it('are in force when they are added, listed, and gone when they are removed', async () => {
    const { faults, dns, endpoint } = await started({ config: shop() });
    const id = await faults.add({ dns: { name: 'web.shop.internal', fault: 'servfail' } });
    expect((await dig(dns.port, 'web.shop.internal', 'A')).rcode).toBe('SERVFAIL');
    const dropped = await faults.add({
      dns: { name: 'internal', below: true, type: 'SOA', fault: 'drop' },
      forSeconds: 60,
    });
    expect(await askUdp(dns.port, buildQuery('shop.internal', 'SOA'), { timeoutMs: 100 })).toBe(null);
    expect(await faults.list()).toMatchObject([
      { id, dns: { name: 'web.shop.internal', fault: 'servfail' }, until: null },
      { id: dropped, dns: { type: 'SOA', below: true }, until: expect.any(Date) },
    ]);
    expect(await faults.remove(id)).toBe(true);
    expect(await faults.remove(id)).toBe(false);
    expect((await dig(dns.port, 'web.shop.internal', 'A')).rcode).toBe('NOERROR');
    await faults.add({ api: { operation: 'DiscoverInstances', fault: 'throttle' } });
    const refused = await new Api(endpoint).discover('shop.internal', 'web').catch((error) => error);
    expect(refused).toBeInstanceOf(ServiceDiscoveryServiceException);
    expect(refused.name).toBe('RequestLimitExceeded');
    await faults.clear();
    expect(await faults.list()).toEqual([]);
    expect((await new Api(endpoint).discover('shop.internal', 'web')).ids).toHaveLength(3);
  });
});

describe('close', () => {
  it('ends it: nothing can be asked of it any more, and to close it again is well', async () => {
    const cloudmap = await started();
    await Promise.all([cloudmap.close(), cloudmap.close()]);
    await expect(fetch(`${cloudmap.endpoint}/healthz`)).rejects.toThrow();
    await expect(cloudmap.reset()).rejects.toThrow('the daemon is closed');
    await cloudmap.close();
  });

  /** A program of its own: what it leaves of a daemon shows in how it ends. */
  const PROGRAM = `
    import { start } from 'cloudmapd';
    const listeners = () => JSON.stringify(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));
    const before = [JSON.stringify(process.env), listeners(), process.cwd()];
    const config = { namespaces: [{ name: 'a.internal', type: 'DNS_PUBLIC', services: [{ name: 'w', healthCheck: { type: 'TCP' },
      instances: [{ id: 'w-1', attributes: { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: 9 } }] }] }] };
    const all = await Promise.all([start({ config }), start(), start()]);
    await all[0].faults.add({ dns: { name: '.', below: true, fault: 'delay', delayMs: 60000 }, forSeconds: 600 });
    await all[0].faults.add({ api: { operation: 'ListNamespaces', fault: 'delay', delayMs: 60000 } });
    const call = fetch(all[0].endpoint, { method: 'POST', body: '{}', headers: { 'x-amz-target': 'Route53AutoNaming_v20170314.ListNamespaces' } });
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4').unref();
    socket.send(Buffer.from('0001010000010000000000000161000001 0001'.replace(' ', ''), 'hex'), all[0].dns.port, '127.0.0.1');
    await fetch(all[0].endpoint + '/healthz');
    const during = [JSON.stringify(process.env), listeners(), process.cwd()];
    await Promise.all(all.map((each) => each.close()));
    await all[0].close();
    await call.catch(() => undefined);
    if (JSON.stringify(before) !== JSON.stringify(during)) throw new Error(JSON.stringify([before, during]));
  `;

  it('leaves nothing that would keep a process, and start changes nothing of it', async () => {
    // In the repository, where the package goes by its own name.
    const command = ['--input-type=module', '--eval', PROGRAM];
    const env = { ...process.env, CLOUDMAPD_HTTP: 'nonsense' };
    const ended = await runCommand('sh', ['-c', `cd "$0" && exec "$@"`, ROOT, process.execPath, ...command], env);
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
