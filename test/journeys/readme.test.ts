/**
 * The README's own code blocks, carried out as they stand by somebody who has nothing but them: in an empty folder, beside
 * an `npm start` that has the ports of the README to itself, in a network of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfiguration, settingFlags } from '../../src/config.ts';
import { makeFolder } from '../support/daemon.ts';
import {
  type Ended,
  hasTool,
  requireTool,
  runCommand,
  skipOrFail,
  type Tool,
  waitFor,
} from '../support/journey-tools.ts';
import { NetworkNamespace, requireNamespace, unshareFlags } from '../support/network-namespace.ts';
import { type CodeBlock, readCodeBlocks, readSection } from '../support/readme.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
// Asked once: it takes half a second.
const hasNpm = hasTool('npm');
const folder = makeFolder();
const bin = join(folder.path, 'bin');
const noNameservers = join(folder.path, 'resolv.conf');
let namespace: NetworkNamespace;
let started: ChildProcess;
let said = '';

/** What the README calls `cloudmapd`, before anything else of that name; Debian's own commands before a user's. */
const env: NodeJS.ProcessEnv = {
  PATH: [bin, dirname(process.execPath), '/usr/bin', process.env.PATH].join(':'),
  HOME: folder.path,
  NODE_COMPILE_CACHE: join(tmpdir(), 'cloudmapd-test-compile-cache'),
  AWS_EC2_METADATA_DISABLED: 'true',
};

beforeAll(async () => {
  if (unshareFlags() === null || !hasNpm) return;
  mkdirSync(bin);
  writeFileSync(join(bin, 'cloudmapd'), `#!/bin/sh\nexec '${process.execPath}' '${ROOT}src/main.ts' "$@"\n`);
  chmodSync(join(bin, 'cloudmapd'), 0o755);
  writeFileSync(noNameservers, '');
  namespace = await NetworkNamespace.create();
  const settings = { CLOUDMAPD_DATA_DIR: join(folder.path, 'data'), CLOUDMAPD_FAULTS: 'true' };
  started = await startLine('npm start', settings);
});
afterAll(async () => {
  if (started !== undefined) await end(started);
  await namespace?.close();
  folder.remove();
});
beforeEach((context) => {
  requireNamespace(context);
  if (!hasNpm) skipOrFail(context, 'npm does not work on this machine');
});

function inNamespace(...command: string[]): [string, string[]] {
  const [first = '', ...rest] = [...namespace.launcher, ...command];
  return [first, rest];
}

/** Runs it in the repository, where the README has it run. Resolves once it has printed its lines. */
async function startLine(line: string, more: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const [command, args] = inNamespace('sh', '-c', line);
  // A group of its own: npm and its shell do not hand a SIGKILL on.
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...env, ...more },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output += chunk;
        if (!output.includes('list-namespaces')) return;
        said = output;
        resolve();
      });
    }
    child.once('close', (code) => reject(new Error(`${line} ended with ${code}: ${output}`)));
  });
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close');
  process.kill(-(child.pid as number), 'SIGTERM');
  await ended;
}

// $1 stands in for /etc/resolv.conf: the machine's leads out of the network that the block is run in.
const WITH_RESOLV_CONF = 'mount --bind "$1" /etc/resolv.conf && cd "$2" && shift 2 && exec "$@"';

/** Runs a command beside the daemon, in a folder. */
function run(where: string, command: string, ...args: string[]): Promise<Ended> {
  const inside = ['unshare', '--mount', 'sh', '-c', WITH_RESOLV_CONF, 'sh', noNameservers, where, command, ...args];
  return runCommand(...inNamespace(...inside), env);
}

/** A folder for each heading, as a reader goes on where they are. */
function folderOf({ headings }: CodeBlock): string {
  const path = join(folder.path, 'reader', headings.join('-').replaceAll(/\W+/g, '-'));
  mkdirSync(path, { recursive: true });
  return path;
}

/** Each line must succeed, and none may complain. @returns what they print */
async function paste(block: CodeBlock, text = block.text): Promise<string> {
  const { code, stdout, stderr } = await run(folderOf(block), 'sh', '-ec', text);
  expect({ line: block.line, code, stderr, stdout }).toMatchObject({ code: 0, stderr: '' });
  return stdout;
}

interface Session {
  readonly needs?: readonly Tool[];
  /** Throws where the block does not do what the README says of it. */
  carryOut(block: CodeBlock): Promise<void>;
}

const read = (block: CodeBlock, file: string): string => readFileSync(join(folderOf(block), file), 'utf8');

/**
 * What becomes of each block, by how it begins; what is not named here and is for a shell has to succeed, and to say
 * something.
 */
const SESSIONS: Readonly<Record<string, Session>> = {
  'npm install': {
    async carryOut({ text }) {
      // .ci/run does both in a clean clone; here `npm start` has been run.
      const ci = readFileSync(join(ROOT, '.ci/run'), 'utf8');
      for (const command of text.match(/npm [a-z]+/g) ?? []) expect(ci).toContain(command);
      expect(said).toContain('cloudmapd is ready');
    },
  },
  'dig @127.0.0.1 -p 1053 web.demo.internal A': {
    needs: ['dig'],
    async carryOut(block) {
      // It is one of the lines that are printed at the start.
      expect(said).toContain(`\n${block.text}`);
      expect(await paste(block)).toMatch(/status: NOERROR.*\n.* ANSWER: 2,/);
    },
  },
  'export AWS_PAGER=': {
    needs: ['aws', 'dig'],
    async carryOut(block) {
      const output = await paste(block);
      const addresses = output.split('\n').filter((line) => /^10\.0\.0\.2\d$/.test(line));
      expect([addresses.slice(0, 2).sort(), addresses.slice(2)]).toEqual([['10.0.0.21', '10.0.0.22'], ['10.0.0.22']]);
    },
  },
  'import { DiscoverInstancesCommand': {
    async carryOut(block) {
      writeFileSync(join(folderOf(block), 'session.mjs'), block.text);
      symlinkSync(join(ROOT, 'node_modules'), join(folderOf(block), 'node_modules'));
      const { code, stdout, stderr } = await run(folderOf(block), process.execPath, 'session.mjs');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect([...stdout.matchAll(/InstanceId: '(.*?)'/g)].map(([, id]) => id).sort()).toEqual(['web-1', 'web-2']);
    },
  },
  '; EDE: 0 (Other): (2 instances': {
    needs: ['dig'],
    async carryOut({ text }) {
      const [noneHealthy = '', noInstances = '', notForwarded = ''] = text.split('\n');
      const where = folder.path;
      const id = (await run(where, 'cloudmapd', 'ls', 'demo.internal', '--json')).stdout;
      expect(id).toContain('web');
      for (const instance of ['web-1', 'web-2']) {
        await expectWell(run(where, 'cloudmapd', 'health', 'demo.internal', 'web', instance, 'UNHEALTHY'));
      }
      const pattern = (line: string): RegExp =>
        new RegExp(line.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(/\d+(?= s )|(?<=web-)\d/g, '\\d+'));
      const dig = ['dig', '@127.0.0.1', '-p', '1053', 'web.demo.internal', 'A'] as const;
      expect(await expectWell(run(where, ...dig))).toMatch(pattern(noneHealthy));
      for (const instance of ['web-1', 'web-2']) {
        await expectWell(run(where, 'cloudmapd', 'deregister', 'demo.internal', 'web', instance));
      }
      expect(await expectWell(run(where, ...dig))).toMatch(pattern(noInstances));
      const before = said;
      const other = await startLine('npm start', {
        CLOUDMAPD_HTTP: '127.0.0.1:0',
        CLOUDMAPD_DNS: '127.0.0.1:2053',
        CLOUDMAPD_STORE: 'memory',
        CLOUDMAPD_UPSTREAMS: '127.0.0.9',
        CLOUDMAPD_RECURSION_CLIENTS: '10.0.0.0/8',
      });
      said = before;
      const outside = ['dig', '@127.0.0.1', '-p', '2053', 'www.example.com', 'A'] as const;
      expect(await expectWell(run(where, ...outside))).toMatch(pattern(notForwarded));
      await end(other);
      // The next sessions find what the first ones did.
      for (const [instance, address] of [['web-1', '10.0.0.7'] as const, ['web-2', '10.0.0.8'] as const]) {
        const flags = ['--ipv4', address, '--port', '8080'];
        await expectWell(run(where, 'cloudmapd', 'register', 'demo.internal', 'web', instance, ...flags));
      }
    },
  },
  'upstreams: system': {
    async carryOut(block) {
      writeFileSync(join(folderOf(block), 'my.yaml'), block.text);
      expect(await expectWell(run(folderOf(block), 'cloudmapd', 'check', 'my.yaml'))).toContain('my.yaml: ok');
    },
  },
  'cloudmapd flush example.com': {
    needs: ['curl'],
    carryOut: async (block) => expect(await paste(block)).toContain('{"flushed":0}'),
  },
  'cloudmapd explain web.demo.internal': {
    carryOut: async (block) => expect(await paste(block)).toMatch(/^web\.demo\.internal A is answered with 10\./),
  },
  'cloudmapd ls': {
    async carryOut(block) {
      expect(await paste(block)).toContain('web-3');
      // It is gone again at the end.
      expect(await expectWell(run(folder.path, 'cloudmapd', 'ls', 'demo.internal', 'web'))).not.toContain('web-3');
    },
  },
  'curl -s -X POST http://127.0.0.1:8053/admin/reset': {
    needs: ['curl'],
    async carryOut(block) {
      await expectWell(run(folder.path, 'cloudmapd', 'deregister', 'demo.internal', 'web', 'web-1'));
      JSON.parse(await paste(block));
      expect(await expectWell(run(folder.path, 'cloudmapd', 'ls', 'demo.internal', 'web'))).toContain('web-1');
    },
  },
  'faults=http://127.0.0.1:8053/admin/faults': {
    needs: ['curl'],
    async carryOut(block) {
      const output = await paste(block);
      expect(output).toMatch(/"id":"fault-1"[\s\S]*"id":"fault-2"/);
      expect(await expectWell(run(folder.path, 'curl', '-s', 'http://127.0.0.1:8053/admin/faults'))).not.toContain(
        'fault-',
      );
    },
  },
  "curl -sN 'http://127.0.0.1:8053/admin/queries": {
    needs: ['curl', 'dig'],
    async carryOut({ text }) {
      const [command, args] = inNamespace('sh', '-c', `exec ${text}`);
      const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
      let seen = '';
      child.stdout.on('data', (chunk) => {
        seen += chunk;
      });
      // curl tells nobody when it begins.
      await waitFor('a line', async () => {
        await expectWell(run(folder.path, 'dig', '@127.0.0.1', '-p', '1053', 'web.demo.internal', 'A'));
        return seen.includes('"name"') ? seen : null;
      });
      const ended = once(child, 'close');
      child.kill();
      await ended;
      expect(seen).toMatch(/"name":"web\.demo\.internal\.?"/);
    },
  },
  'scrape_configs:': {
    async carryOut({ text }) {
      // A Prometheus does scrape in `metrics.test.ts`.
      const [{ static_configs }] = parse(text).scrape_configs;
      const { code } = await run(folder.path, 'curl', '-fs', `http://${static_configs[0].targets[0]}/metrics`);
      expect(code).toBe(0);
    },
  },
  // Run by vitest, from the package, by `library-package.test.ts`.
  'import { Resolver }': { carryOut: async () => undefined },
  'cloudmapd export > shop.yaml': {
    async carryOut(block) {
      // All but the line that needs an account; `from-aws.test.ts` has that one, with an endpoint of its own.
      const fromAws = block.text.split('\n').filter((line) => line.includes('--from-aws'));
      expect(fromAws).toHaveLength(1);
      const output = await paste(block, block.text.replace(fromAws[0] as string, ''));
      expect(output).toContain('nothing');
      expect(read(block, 'shop.yaml')).toContain('name: demo.internal');
      const { namespaces } = JSON.parse(read(block, 'all.json')) as { namespaces: { name: string }[] };
      expect(namespaces.map(({ name }) => name)).toEqual(expect.arrayContaining(['demo.internal', 'demo-http']));
      expect(read(block, 'cloudmapd-monday.db')).toMatch(/^SQLite format 3/);
    },
  },
  'curl -s http://127.0.0.1:8053/admin/export': {
    needs: ['curl'],
    async carryOut(block) {
      const output = await paste(block);
      expect(output).toContain('"differences":[]');
      expect(output).toMatch(/"pid":\d+/);
      expect(read(block, 'cloudmap.yaml')).toContain('name: demo.internal');
      expect(read(block, 'cloudmapd.db')).toMatch(/^SQLite format 3/);
    },
  },
  'CLOUDMAPD_CONFIG=my.yaml npm start': {
    async carryOut(block) {
      const file = join(folderOf(block), 'my.yaml');
      writeFileSync(file, 'namespaces: [{ name: mine.internal, type: DNS_PRIVATE }]\n');
      // Beside the one that is there.
      const beside = { CLOUDMAPD_HTTP: '127.0.0.1:0', CLOUDMAPD_DNS: '127.0.0.1:0', CLOUDMAPD_STORE: 'memory' };
      const before = said;
      const child = await startLine(block.text.replace('my.yaml', file), beside);
      expect(said).toContain('serving 1 namespace, 0 services');
      said = before;
      await end(child);
    },
  },
  'docker compose': {
    async carryOut({ text }) {
      // Brought up by `compose/compose.test.ts`; what it says of the image is held against that below.
      const file = /-f (\S+)/.exec(text)?.[1] as string;
      expect(existsSync(join(ROOT, file))).toBe(true);
    },
  },
  'cloudmapd doctor': {
    carryOut: async (block) => expect(await paste(block)).toMatch(/\nnothing is wrong\n$/),
  },
  'cloudmapd watch': {
    async carryOut(block) {
      const [command, args] = inNamespace('sh', '-c', `exec ${block.text}`);
      const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
      let seen = '';
      const isTold = new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk) => {
          seen += chunk;
          if (seen.includes('10.0.0.99')) resolve();
        });
      });
      await once(child.stdout, 'data');
      const place = ['demo.internal', 'web', 'web-3'];
      await expectWell(run(folder.path, 'cloudmapd', 'register', ...place, '--ipv4', '10.0.0.99'));
      await isTold;
      // The sample below it is of such lines.
      const sample = readCodeBlocks().find(({ text }) => text.startsWith('TIME'));
      const [head = '', ...rows] = sample?.text.trimEnd().split('\n') ?? [];
      expect(seen.split('\n')[0]).toBe(head);
      const layout = /^\d\d:\d\d:\d\d\.\d{3} {2}[a-z-]+ *\S+ *\S/;
      const events = seen.trimEnd().split('\n').slice(1);
      for (const row of [...rows, ...events]) {
        expect(row).toMatch(layout);
        // Each column begins where its title does.
        for (const title of ['EVENT', 'OF', 'WHAT']) expect(row.slice(head.indexOf(title) - 2)).toMatch(/^ {2}\S/);
      }
      const ended = once(child, 'close');
      child.kill('SIGINT');
      expect((await ended)[0]).toBe(0);
      await expectWell(run(folder.path, 'cloudmapd', 'deregister', ...place));
    },
  },
  // Carried out in an /etc of their own by `name-setups.test.ts`.
  'sudo mkdir -p /etc/resolver': { carryOut: async () => undefined },
  'sudo ip link add cloudmap': { carryOut: async () => undefined },
  "printf '[main]\\ndns=dnsmasq": { carryOut: async () => undefined },
};

async function expectWell(running: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await running;
  expect({ code, stderr, stdout }).toMatchObject({ code: 0, stderr: '' });
  return stdout;
}

/** A process for each line, some of which take a second to load. */
const TIMEOUT_MS = 120_000;

describe('each block of the README does what it says', () => {
  const runnable = readCodeBlocks().filter(({ language }) => language !== '');
  const shown = readCodeBlocks().filter(({ language, text }) => language === '' && sessionOf(text) !== null);

  it.for([...runnable, ...shown].map((block) => [block.text.split('\n')[0], block] as const))(
    '%s',
    { timeout: TIMEOUT_MS },
    async ([, block], context) => {
      const session = sessionOf(block.text);
      for (const tool of session?.needs ?? []) requireTool(context, tool);
      if (session !== null) return session.carryOut(block);
      // Whoever adds a block of another language says above what becomes of it.
      expect(block.language).toBe('sh');
      expect(await paste(block)).not.toBe('');
    },
  );

  it('and none is named here that the README has not', () => {
    const texts = readCodeBlocks().map(({ text }) => text);
    const unused = Object.keys(SESSIONS).filter((begin) => !texts.some((text) => text.startsWith(begin)));
    expect(unused).toEqual([]);
  });
});

/** By the longest beginning that fits. */
function sessionOf(text: string): Session | null {
  const [begin] = Object.keys(SESSIONS)
    .filter((each) => text.startsWith(each))
    .sort((a, b) => b.length - a.length);
  return begin === undefined ? null : (SESSIONS[begin] as Session);
}

describe('the compose example that the README brings up', () => {
  const compose = parse(readFileSync(join(ROOT, 'config/compose.example.yaml'), 'utf8'), { merge: true });
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').replaceAll(/\\\n\s*/g, ' ');
  const words = (instruction: string): string[] =>
    [...dockerfile.matchAll(new RegExp(`^${instruction} (.*)$`, 'gm'))].flatMap(([, rest = '']) => rest.split(/\s+/));
  const image = Object.fromEntries(words('ENV').map((word) => word.split(/=(.*)/)));
  const { cloudmap, ...others } = compose.services;

  it('builds the Dockerfile beside which it stands', () => {
    const context = join(ROOT, 'config', cloudmap.build);
    expect(readFileSync(join(context, 'Dockerfile'), 'utf8')).toBe(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
  });

  it('makes settings that there are, as the image does, and mounts the file that it names', () => {
    const settings = { ...image, ...cloudmap.environment } as Record<string, string>;
    const own = Object.fromEntries(Object.entries(settings).filter(([key]) => key.startsWith('CLOUDMAPD_')));
    const { CLOUDMAPD_CONFIG: mounted, ...rest } = own;
    const mount = cloudmap.volumes
      .map((volume: string) => volume.split(':'))
      .find(([, at = '']: string[]) => at === mounted);
    const { settings: read } = loadConfiguration({ config: join(ROOT, 'config', mount[0]) }, rest);
    expect(Object.keys(own).sort()).toEqual([
      'CLOUDMAPD_CONFIG',
      'CLOUDMAPD_DATA_DIR',
      'CLOUDMAPD_DNS',
      'CLOUDMAPD_HTTP',
      'CLOUDMAPD_UPSTREAMS',
    ]);
    const keys = new Set(
      settingFlags().map(({ flag }) => `CLOUDMAPD_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`),
    );
    for (const key of Object.keys(rest)) expect(keys).toContain(key);
    // What the image exposes is what it listens on, and what it keeps is where a volume is.
    const ports = [
      ...read.http.map(({ port }) => `${port}/tcp`),
      ...read.dns.flatMap(({ port }) => [`${port}/udp`, `${port}/tcp`]),
    ];
    expect(new Set(words('EXPOSE'))).toEqual(new Set(ports));
    expect(words('VOLUME')).toEqual([read.dataDir]);
    expect(cloudmap.volumes).toContain(`data:${read.dataDir}`);
  });

  it('waits for the health check of the image, which asks what the daemon answers', () => {
    const check = /HEALTHCHECK .*?CMD (\[.*\])$/m.exec(dockerfile)?.[1];
    const [, , code] = JSON.parse(check as string) as string[];
    expect(code).toContain(`http://127.0.0.1:${/:(\d+)/.exec(image.CLOUDMAPD_HTTP)?.[1]}/readyz`);
    for (const service of Object.values(others) as { depends_on: object }[]) {
      expect(service.depends_on).toEqual({ cloudmap: { condition: 'service_healthy' } });
    }
  });

  it('has the health check pass beside a daemon that is ready, and fail where there is none', async () => {
    const [, , code] = JSON.parse(/HEALTHCHECK .*?CMD (\[.*\])$/m.exec(dockerfile)?.[1] as string) as string[];
    const inside = await run(folder.path, process.execPath, '-e', code as string);
    expect(inside.code).toBe(0);
    const elsewhere = await NetworkNamespace.create();
    const [command, ...args] = [...elsewhere.launcher, process.execPath, '-e', code as string];
    expect((await runCommand(command as string, args, env)).code).toBe(1);
    await elsewhere.close();
  });

  it('gives every other service cloudmapd as its nameserver, at the address that it has', () => {
    const address = cloudmap.networks.stack.ipv4_address;
    for (const service of Object.values(others) as { dns: string }[]) expect(service.dns).toBe(address);
    const subnet = compose.networks.stack.ipam.config[0].subnet;
    expect(subnet.replace(/\.0\/24$/, '')).toBe(address.replace(/\.53$/, ''));
    expect(readSection('Compose')).toContain('CLOUDMAP_SUBNET=172.31.77');
    expect(subnet).toContain('${CLOUDMAP_SUBNET:-');
  });
});

describe("the README's table of what dig gets", () => {
  const rows = [...readSection('dig').matchAll(/^\| (.*?) \| (.*) \|$/gm)].map(([, ask = '', get = '']) => ({
    ask,
    get,
  }));
  const dig = async (...args: string[]): Promise<string> =>
    expectWell(run(folder.path, 'dig', '@127.0.0.1', '-p', '1053', ...args));
  beforeEach((context) => requireTool(context, 'dig'));

  const EXPECTED: readonly (readonly [RegExp, RegExp])[] = [
    [/^web\.demo\.internal A$/, /status: NOERROR[\s\S]*ANSWER: 2,[\s\S]*IN\tA\t10\.0\.0\.[78]\n/],
    [
      /^_db\._tcp\.demo\.internal SRV$/,
      /ANSWER: 1,[\s\S]*SRV\t1 1 5432 db-1\._db\._tcp\.demo\.internal\.[\s\S]*ADDITIONAL SECTION[\s\S]*10\.0\.0\.9\n/,
    ],
    [/^db-1\._db\._tcp\.demo\.internal AAAA$/, /AAAA\tfd00::9\n/],
    [/^shop\.demo\.internal A$/, /CNAME\tweb\.demo\.internal\.\n[\s\S]*IN\tA\t10\.0\.0\.[78]\n/],
    [/^(data-)?cloudmap$/, /IN\tA\t127\.0\.0\.1\n/],
  ];
  const asked = rows.flatMap(({ ask }) => [...ask.matchAll(/`([^`]+)`/g)].map(([, question]) => question as string));

  it('names questions that this test knows, and no others', () => {
    expect(asked).toHaveLength(EXPECTED.length + 1);
    for (const question of asked) expect(EXPECTED.some(([pattern]) => pattern.test(question))).toBe(true);
  });

  it.each(asked)('%s', async (question) => {
    const [, reply] = EXPECTED.find(([pattern]) => pattern.test(question)) as (typeof EXPECTED)[number];
    expect(await dig(...question.split(' '))).toMatch(reply);
  });

  it.each([
    [
      'a type that the name does not have',
      ['web.demo.internal', 'AAAA'],
      /status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1[\s\S]*SOA/,
    ],
    ['a name that does not exist', ['none.demo.internal'], /status: NXDOMAIN[\s\S]*demo\.internal\.\s+5\s+IN\s+SOA/],
    ['a name outside all namespaces', ['www.example.com'], /status: REFUSED/],
  ])('%s', async (row, args, reply) => {
    expect(rows.map(({ ask }) => ask)).toContain(row);
    expect(await dig(...args)).toMatch(reply);
  });
});
