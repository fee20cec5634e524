/** `cloudmapd export` and `import`: with a running daemon, and in a folder that none holds. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectFailure, runCli, runWell, startCli } from '../support/cli.ts';
import { relayTo } from '../support/cutting-relay.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { readFolder, runCommand, setUpJourney, shareDaemon, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();

const YAML = `namespaces:
  - name: shop.internal
    type: DNS_PRIVATE
    services:
      - name: api
        dns: { routingPolicy: MULTIVALUE, records: [{ type: A, ttl: 10 }] }
        healthCheckCustom: {}
        instances:
          - id: api-1
            attributes:
              AWS_INSTANCE_IPV4: 10.0.0.1
`;
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const CREATED = 'created: 1 namespace, 1 service, 1 instance; changed: nothing; unchanged: nothing\n';

/** A port that nobody listens on, and that nobody is given while the test runs: it is no port of clients. */
const NOBODY = 'http://127.0.0.1:1';

describe('with a running daemon', () => {
  it('YAML comes back as it was, and is answered in DNS', async () => {
    const { endpoint, dnsPort } = await journey.start();
    const file = journey.writeFile('shop.yaml', YAML);
    expect(await runWell(['import', file, '--endpoint', endpoint])).toBe(CREATED);
    expect((await dig(dnsPort, 'api.shop.internal', 'A')).answer).toEqual(['api.shop.internal. 10 IN A 10.0.0.1']);
    expect(await runWell(['export', '--endpoint', endpoint])).toBe(YAML);
    expect(await runWell(['export'], { env: { CLOUDMAPD_ENDPOINT: `${endpoint}/` } })).toBe(YAML);
  });

  it('JSON goes from one daemon to another with ids, revisions, health and tags, byte for byte', async () => {
    const [first, second] = [await journey.start(), await journey.start()];
    const api = new Api(first.endpoint);
    const service = await api.createService(await api.createNamespace('corp.internal'), 'web', {
      HealthCheckCustomConfig: { FailureThreshold: 1 },
      Tags: [{ Key: 'env', Value: 'dev' }],
    });
    await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: '10.0.0.1' });
    await api.register(service, 'web-2', { AWS_INSTANCE_IPV4: '10.0.0.2' });
    await api.setHealth(service, 'web-2', 'UNHEALTHY');
    const text = await runWell(['export', '--format', 'json', '--endpoint', first.endpoint]);
    expect(await runWell(['import', '-', '--endpoint', second.endpoint], { stdin: text })).toMatch(/^created: 1 name/);
    expect(await runWell(['export', '--format', 'json', '--endpoint', second.endpoint])).toBe(text);
    expect(await new Api(second.endpoint).discover('corp.internal', 'web')).toEqual(
      await api.discover('corp.internal', 'web'),
    );
    expect((await dig(second.dnsPort, 'web.corp.internal', 'A')).answer).toEqual([
      'web.corp.internal. 60 IN A 10.0.0.1',
    ]);
  });

  it('a dry run says what would change, and changes nothing', async () => {
    const { endpoint } = await journey.start();
    const importing = (yaml: string, ...flags: string[]) =>
      runWell(['import', '-', '--endpoint', endpoint, ...flags], { stdin: yaml });
    expect(await importing(YAML, '--dry-run')).toBe(
      [
        '+ namespace shop.internal',
        '+ service shop.internal/api',
        '+ instance shop.internal/api/api-1',
        'to create: 1 namespace, 1 service, 1 instance; to change: nothing; unchanged: nothing\n',
      ].join('\n'),
    );
    expect(await runWell(['export', '--endpoint', endpoint])).not.toContain('shop');
    await importing(YAML);
    const changed = YAML.replace('10.0.0.1', '10.0.0.2');
    expect(await importing(changed, '--dry-run')).toBe(
      [
        '~ instance shop.internal/api/api-1: attributes.AWS_INSTANCE_IPV4: 10.0.0.1 -> 10.0.0.2',
        'to create: nothing; to change: 1 instance; unchanged: 1 namespace, 1 service\n',
      ].join('\n'),
    );
    expect(await importing(YAML)).toBe(
      'created: nothing; changed: nothing; unchanged: 1 namespace, 1 service, 1 instance\n',
    );
  });

  describe('refuses', () => {
    const daemon = shareDaemon({ settings: { STORE: 'memory' } });
    const importing = (text: string, name = 'wrong.yaml') => {
      const file = journey.writeFile(name, text);
      return runCli(['import', file, '--endpoint', daemon().endpoint]).then((ended) => ({ ended, file }));
    };

    it.each([
      ['no YAML', YAML.replace('    services:', '   services:'), 4, ''],
      ['a key that is not known', YAML.replace('    services:', '    colour: red\n    services:'), 4, 'colour'],
      ['a type that there is not', YAML.replace('type: A,', 'type: MX,'), 6, 'records[0].type: '],
      ["what breaks the API's rules", YAML.replace('10.0.0.1', '10.0.0.256'), 11, 'instances[0]'],
    ])('%s, naming the line, and changes nothing', async (_, text, line, part) => {
      const { ended, file } = await importing(text);
      expectFailure(ended, 1, part);
      expect(ended.stderr).toContain(`cloudmapd: ${file}:${line}: `);
      expect(await runWell(['export', '--endpoint', daemon().endpoint])).not.toContain('shop');
    });

    it.each([
      ['no JSON', '\n{"namespaces": [\n{"name": x}]}', 'is no JSON: line 3: '],
      ['no JSON behind something', `{"ec2Instances": {},\n${' '.repeat(100_000)}\n!}`, 'behind ec2Instances: line 3: '],
      ['half of a document', '{"namespaces": [', 'it ends too early'],
      [
        'an instance of a service that there is not',
        '{"cloudmapd":1,"instances":[{"serviceId":"srv-x","id":"i"}]}',
        'srv-x/i',
      ],
    ])('%s, naming the place', async (_, text, part) => {
      const { ended, file } = await importing(text, 'wrong.json');
      expectFailure(ended, 1, `cloudmapd: ${file}: `, part);
    });

    it('what is no text, and what cannot be read', async () => {
      const { endpoint } = daemon();
      const file = journey.writeFile('binary', '');
      writeFileSync(file, Buffer.from([0x61, 0xff, 0xfe]));
      expectFailure(await runCli(['import', file, '--endpoint', endpoint]), 1, 'no text in UTF-8');
      expectFailure(await runCli(['import', '/nowhere.yaml', '--endpoint', endpoint]), 1, 'cannot read /nowhere.yaml');
      expectFailure(await runCli(['import', dirname(file), '--endpoint', endpoint]), 1, 'EISDIR');
    });

    it('a large document at its beginning, whatever follows', async () => {
      const record = `{"name":"x","nonsense":"${'x'.repeat(10_000)}"},\n`;
      const { ended } = await importing(`{"namespaces":[${record.repeat(5000)}{}]}`, 'large.json');
      expectFailure(ended, 1, 'namespaces[0]');
    });
  });

  describe('a document that begins with a brace', () => {
    const daemon = shareDaemon({ settings: { STORE: 'memory' } });
    const importing = (stdin: string) => runCli(['import', '-', '--endpoint', daemon().endpoint], { stdin });
    const unchanged = 'created: nothing; changed: nothing; unchanged: 1 namespace\n';

    it('may be YAML in flow style, or JSON, behind blanks and a byte order mark', async () => {
      const flow = '{ namespaces: [{ name: flow, type: HTTP }] }\n';
      expect(await importing(flow)).toMatchObject({ code: 0, stderr: '' });
      for (const text of [`\ufeff\n{ # in flow style\n${flow.slice(1)}`, flow.replaceAll(/([a-z]+)/gi, '"$1"')]) {
        expect(await importing(text), text).toEqual({ code: 0, stdout: unchanged, stderr: '' });
      }
      expectFailure(await importing('{\n namespaces: [\n{ name: flow, type: TCP }] }\n'), 1, 'stdin:3: ');
    });
  });

  it('one endpoint that is given is asked and no other, and the mistake is told', async () => {
    const dataDir = journey.newPath();
    await runWell(['import', '-', '--data-dir', dataDir], { stdin: YAML });
    for (const args of [['export'], ['backup', journey.newPath('b.db')], ['import', journey.writeFile('y', YAML)]]) {
      expectFailure(await runCli([...args, '--endpoint', NOBODY, '--data-dir', dataDir]), 1, NOBODY, 'ECONNREFUSED');
    }
    expectFailure(await runCli(['export', '--data-dir', dataDir], { env: { CLOUDMAPD_ENDPOINT: NOBODY } }), 1, NOBODY);
  });

  it('one endpoint and the flag of a folder that it does not hold is told, and changes neither', async () => {
    const [dataDir, other] = [journey.newPath(), journey.newPath()];
    const { endpoint } = await journey.start({ dataDir });
    const file = journey.writeFile('shop.yaml', YAML);
    const env = { CLOUDMAPD_ENDPOINT: endpoint };
    const mismatch = [`${endpoint} holds ${realpathSync(dataDir)}`, `--data-dir ${other}`];
    expectFailure(await runCli(['import', file, '--data-dir', other], { env }), 2, 'CLOUDMAPD_ENDPOINT', ...mismatch);
    await runWell(['import', file, '--data-dir', other]);
    for (const args of [['export'], ['backup', journey.newPath('b.db')], ['import', file]]) {
      expectFailure(await runCli([...args, '--endpoint', endpoint, '--data-dir', other]), 2, '--endpoint', ...mismatch);
    }
    expect(await runWell(['export', '--data-dir', dataDir], { env })).not.toContain('shop');
    // By environment it is the one that is used where none is asked.
    expect(await runWell(['import', file], { env: { ...env, CLOUDMAPD_DATA_DIR: other } })).toBe(CREATED);
  });
});

describe('in a folder that no daemon holds', () => {
  it('does the same, and the next daemon answers it', async () => {
    const dataDir = journey.newPath();
    const file = journey.writeFile('shop.yaml', YAML);
    expect(await runWell(['import', file, '--data-dir', dataDir])).toBe(CREATED);
    expect(await runWell(['export', '--data-dir', dataDir])).toBe(YAML);
    expect(await runWell(['export'], { env: { CLOUDMAPD_DATA_DIR: dataDir } })).toBe(YAML);
    const config = journey.writeFile('cloudmapd.yaml', `dataDir: ${dataDir}\n`);
    expect(await runWell(['export', '--config', config])).toBe(YAML);
    expect(readdirSync(dataDir)).toEqual(['cloudmapd.db']);
    const { dnsPort } = await journey.start({ dataDir });
    expect((await dig(dnsPort, 'api.shop.internal', 'A')).answer).toEqual(['api.shop.internal. 10 IN A 10.0.0.1']);
  });

  it('a dry run makes no store, and neither does what only reads', async () => {
    const dataDir = journey.newPath();
    expect(await runWell(['import', '-', '--dry-run', '--data-dir', dataDir], { stdin: YAML })).toContain(
      '+ service shop.internal/api\n',
    );
    expectFailure(
      await runCli(['export', '--data-dir', dataDir]),
      1,
      `there is no ${dataDir}/cloudmapd.db`,
      '--endpoint',
    );
    expectFailure(await runCli(['backup', 'x', '--data-dir', dataDir]), 1, `there is no ${dataDir}/cloudmapd.db`);
    expect(existsSync(dataDir)).toBe(false);
  });

  it('an import that is refused names the line, and nothing of it is in', async () => {
    const dataDir = journey.newPath();
    await runWell(['import', '-', '--data-dir', dataDir], { stdin: YAML });
    const before = readFolder(dataDir);
    const file = journey.writeFile('wrong.yaml', YAML.replace('type: A,', 'type: MX,'));
    expectFailure(await runCli(['import', file, '--data-dir', dataDir]), 1, `${file}:6: `, 'records[0].type');
    const broken = await runCli(['import', '-', '--data-dir', dataDir], { stdin: '{"namespaces": [' });
    expectFailure(broken, 1, 'cloudmapd: stdin: ', 'is no JSON');
    expect(readFolder(dataDir)).toEqual(before);
  });

  it('one that a daemon holds is left to it, whose endpoint has to be named', async () => {
    const dataDir = journey.newPath();
    await journey.start({ dataDir });
    const file = journey.writeFile('shop.yaml', YAML);
    for (const args of [['export'], ['import', file], ['backup', journey.newPath('b.db')]]) {
      expectFailure(await runCli([...args, '--data-dir', dataDir]), 1, dataDir, 'is held by another', '--endpoint');
    }
  });

  it('one that there is no looking into is told on one line', async () => {
    const loop = journey.writeFile('around', '').replace(/around$/, 'loop');
    symlinkSync('loop', loop);
    const copy = journey.writeFile('b.db', '');
    expectFailure(await runCli(['backup', copy, '--data-dir', loop]), 1, `cannot look for ${loop}/`, 'ELOOP');
    const long = 'n'.repeat(300);
    expectFailure(await runCli(['export', '--data-dir', long]), 1, `cannot look for ${long}/`, 'ENAMETOOLONG');
    expectFailure(await runCli(['import', copy, '--data-dir', loop]), 1, loop, 'ELOOP');
  });

  it('is read with the settings that it is served with', async () => {
    const dataDir = journey.newPath();
    const env = { CLOUDMAPD_REGION: 'eu-west-1', CLOUDMAPD_DATA_DIR: dataDir };
    await runWell(['import', '-'], { stdin: YAML, env });
    expect(await runWell(['export', '--format', 'json'], { env })).toContain('"region":"eu-west-1"');
    const wrong = await runCli(['export'], { env: { ...env, CLOUDMAPD_REGION: 'EU!' } });
    expectFailure(wrong, 2, 'CLOUDMAPD_REGION');
  });
});

describe('what export writes to', () => {
  const daemon = shareDaemon({ settings: { STORE: 'memory' } });
  // More than a pipe holds.
  beforeAll(() => fillWith(new Api(daemon().endpoint), 500));
  const exporting = (path: string) => runCli(['export', '--endpoint', daemon().endpoint, '--output', path]);
  const newFolder = (): string => {
    const folder = journey.newPath('out');
    mkdirSync(folder, { recursive: true });
    return folder;
  };

  it('is a file that is there whole, in place of an older one, whose mode and links stay', async () => {
    const folder = newFolder();
    const path = join(folder, 'all.yaml');
    expect(await exporting(path)).toEqual({ code: 0, stdout: '', stderr: '' });
    const text = readFileSync(path, 'utf8');
    expect(text).toBe(await runWell(['export', '--endpoint', daemon().endpoint]));
    writeFileSync(path, 'older');
    chmodSync(path, 0o640);
    symlinkSync('all.yaml', join(folder, 'link.yaml'));
    expect(await exporting(join(folder, 'link.yaml'))).toMatchObject({ code: 0 });
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder).sort()).toEqual(['all.yaml', 'link.yaml']);
  });

  it('is what a link leads to, also where there is nothing yet', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'inner'));
    // Once more around, and from a link to the folder, where `..` is another one.
    symlinkSync('inner/all.yaml', join(folder, 'first'));
    symlinkSync('inner', join(folder, 'link'));
    symlinkSync('../first', join(folder, 'inner', 'second'));
    expect(await exporting(join(folder, 'link', 'second'))).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(join(folder, 'inner', 'all.yaml'), 'utf8')).toContain('namespaces:');
    expect(readlinkSync(join(folder, 'first'))).toBe('inner/all.yaml');
    expect(readdirSync(folder).sort()).toEqual(['first', 'inner', 'link']);
    symlinkSync('none/all.yaml', join(folder, 'astray'));
    expectFailure(await exporting(join(folder, 'astray')), 1, `cannot write ${join(folder, 'astray')}`, 'ENOENT');
    expect(readlinkSync(join(folder, 'astray'))).toBe('none/all.yaml');
  });

  it.runIf(process.platform === 'linux')('may be a descriptor: a pipe, or a file that is added to', async () => {
    const text = await runWell(['export', '--endpoint', daemon().endpoint]);
    const file = join(newFolder(), 'all.yaml');
    const write = '"$0" "$1" export --endpoint "$2" --output';
    const scripts = {
      [`${write} /dev/stdout | cat > "$3"`]: text,
      [`printf 'old\\n' > "$3"; ${write} /dev/stdout >> "$3"`]: `old\n${text}`,
      [`printf 'old\\n' > "$3"; ${write} /proc/self/fd/2 2>> "$3"`]: `old\n${text}`,
      [`{ echo before >&3; ${write} /dev/fd/3; echo behind >&3; } 3> "$3"`]: `before\n${text}behind\n`,
      [`{ ${write} /dev/fd/3; } 3>&1 > /dev/null | cat > "$3"`]: text,
    };
    for (const [script, expected] of Object.entries(scripts)) {
      const ended = await runCommand('bash', ['-c', script, process.execPath, MAIN, daemon().endpoint, file]);
      expect(ended, script).toEqual({ code: 0, stdout: '', stderr: '' });
      expect(readFileSync(file, 'utf8'), script).toBe(expected);
    }
    expect(readdirSync(dirname(file))).toEqual(['all.yaml']);
  });

  it('may be a device', async () => {
    expect(await exporting('/dev/null')).toMatchObject({ code: 0 });
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it('stays as it was where the export fails', async () => {
    const folder = newFolder();
    const path = join(folder, 'all.yaml');
    writeFileSync(path, 'older');
    expectFailure(await runCli(['export', '--endpoint', NOBODY, '--output', path]), 1, NOBODY);
    expect(readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))).toEqual(['older']);
    expectFailure(await exporting(join(folder, 'none', 'all.yaml')), 1, 'cannot write', 'ENOENT');
    expectFailure(await exporting(folder), 1, `cannot write ${folder}`);
    expectFailure(await exporting(join(path, 'all.yaml')), 1, 'cannot write', 'ENOTDIR');
  });

  it.runIf(existsSync('/dev/full'))('is told where it is full', async () => {
    expectFailure(await exporting('/dev/full'), 1, 'cannot write /dev/full: ENOSPC');
  });

  it.runIf(existsSync('/dev/full'))('of an import is told where it is full, and its reader may go away', async () => {
    const file = journey.writeFile('shop.yaml', YAML);
    const args = ['import', file, '--dry-run', '--endpoint', daemon().endpoint];
    const script = 'exec "$0" "$@" > /dev/full';
    const full = await runCommand('bash', ['-c', script, process.execPath, MAIN, ...args]);
    expectFailure(full, 1, 'cannot write to stdout: ENOSPC');
    const { child, ended } = startCli(args);
    child.stdout.destroy();
    expect(await ended).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('may be a pipe whose reader has read enough', async () => {
    const script = '"$0" "$1" export --endpoint "$2" --format json | head -c 10; echo "$PIPESTATUS" >&2';
    const ended = await runCommand('bash', ['-c', script, process.execPath, MAIN, daemon().endpoint]);
    expect(ended).toEqual({ code: 0, stdout: '{"cloudmap', stderr: '0\n' });
  });

  it('is not there where the daemon goes away in the middle', async () => {
    const path = join(newFolder(), 'all.json');
    const relay = await relayTo(daemon().endpoint, (socket) => socket.destroy());
    const args = ['export', '--format', 'json', '--endpoint', relay.endpoint];
    expectFailure(await runCli([...args, '--output', path]), 1, relay.endpoint, 'cannot be asked any more');
    expect(readdirSync(dirname(path))).toEqual([]);
    const { code, stderr } = await runCli(args);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^cloudmapd: [^\n]+\n$/) });
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('is not there where %s ends the command in the middle', async (signal) => {
    const path = join(newFolder(), 'all.json');
    const stalled = Promise.withResolvers<void>();
    const relay = await relayTo(daemon().endpoint, (socket) => {
      socket.pause();
      stalled.resolve();
    });
    const args = ['export', '--format', 'json', '--endpoint', relay.endpoint, '--output', path];
    const { child, ended } = startCli(args);
    await stalled.promise;
    await waitFor('what is written', () => (readdirSync(dirname(path)).length === 1 ? true : null));
    child.kill(signal);
    expect(await ended).toEqual({ code: null, stdout: '', stderr: '' });
    expect(readdirSync(dirname(path))).toEqual([]);
  });
});

async function fillWith(api: Api, instances: number): Promise<void> {
  const service = await api.createService(await api.createNamespace('large.internal'), 'web');
  const ids = Array.from({ length: instances }, (_, i) => `web-${i}`);
  await Promise.all(
    ids.map((id) => api.register(service, id, { AWS_INSTANCE_IPV4: '10.0.0.1', note: 'n'.repeat(1000) })),
  );
}
