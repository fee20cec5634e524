/** The lines that send names of namespaces to the daemon: those of the README, carried out by a shell, and by a real dnsmasq. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { SETUPS, type Setup, setupLines } from '../../src/cli/doctor/name-setups.ts';
import { askTcp, buildQuery, dig } from '../support/dns.ts';
import { closedPort } from '../support/fake-upstream.ts';
import { Api } from '../support/journey-api.ts';
import {
  requireTool,
  runCommand,
  runsToSuccess,
  setUpJourney,
  skipOrFail,
  TOOL_ENV,
  waitFor,
} from '../support/journey-tools.ts';
import { blocksUnder } from '../support/readme.ts';

const journey = setUpJourney();

/** What `npm start` serves. */
const EXAMPLE = { names: ['demo.internal'], server: { address: '127.0.0.1', port: 1053 } };

it('the README has for each the lines that are made for the example', () => {
  const blocks = blocksUnder('Names on your laptop, outside containers', 'sh');
  expect(blocks.map(({ text }) => text)).toEqual(SETUPS.map((setup) => `${setupLines(setup, EXAMPLE).join('\n')}\n`));
});

const MANY = {
  names: ['demo.internal', '_x.shop.local', 'corp.example'],
  server: { address: '::1', port: 53 },
};

/** Carries lines out in an /etc that is empty but for some folders. @returns its files, and what was run beside */
async function paste(context: TestContext, setup: Setup, zones: typeof MANY): Promise<{ files: string; ran: string }> {
  const flags = [['--mount'], ['--user', '--map-root-user', '--mount']].find((each) =>
    runsToSuccess('unshare', [...each, 'mount', '-t', 'tmpfs', 'tmpfs', '/etc']),
  );
  if (flags === undefined) skipOrFail(context, 'unshare --mount may not mount an /etc on this machine');
  const folder = journey.newPath('bin');
  mkdirSync(folder, { recursive: true });
  const log = join(folder, 'ran');
  const shims = { sudo: 'exec "$@"', ip: 'record', resolvectl: 'record', systemctl: 'record' };
  for (const [name, what] of Object.entries(shims)) {
    const text =
      what === 'record' ? `printf '%s\\n' "$(basename "$0")" "$@" | tr '\\n' '|' >> ${log}; echo >> ${log}` : what;
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  writeFileSync(log, '');
  const lines = [
    'mount -t tmpfs tmpfs /etc && mkdir -p /etc/NetworkManager/conf.d /etc/NetworkManager/dnsmasq.d',
    `PATH=${folder}:$PATH`,
    'set -e',
    // Twice: what is pasted again changes nothing.
    ...[1, 2].flatMap(() => setupLines(setup, zones).map((line) => `${line} >/dev/null`)),
    'cd /etc && find . -type f | LC_ALL=C sort | while read -r file; do echo "== $file"; cat "$file"; done',
    `echo "== ran"; cat ${log}`,
  ];
  const { code, stdout, stderr } = await runCommand('unshare', [...flags, 'sh', '-c', lines.join('\n')]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [files = '', ran = ''] = stdout.split('== ran\n');
  return { files, ran };
}

describe('a shell makes of them', () => {
  it('macOS: a file for each namespace', async (context) => {
    const { files } = await paste(context, 'macos', MANY);
    const file = 'nameserver ::1\nport 53\n';
    expect(files).toBe(
      ['_x.shop.local', 'corp.example', 'demo.internal'].map((name) => `== ./resolver/${name}\n${file}`).join(''),
    );
  });

  it('systemd-resolved: a link whose servers and domains are the daemon and the namespaces', async (context) => {
    const { files, ran } = await paste(context, 'resolved', MANY);
    const once = [
      'ip|link|add|cloudmap|type|dummy|',
      'ip|address|replace|192.0.2.53/32|dev|cloudmap|',
      'ip|link|set|cloudmap|up|',
      'resolvectl|dns|cloudmap|[::1]:53|',
      'resolvectl|domain|cloudmap|~demo.internal|~_x.shop.local|~corp.example|',
      'resolvectl|default-route|cloudmap|no|',
    ];
    expect(ran.trimEnd().split('\n')).toEqual([...once, ...once]);
    expect(files).toBe('');
  });

  it("NetworkManager: its dnsmasq, and a file of the namespaces' servers", async (context) => {
    const { files, ran } = await paste(context, 'networkmanager', MANY);
    expect(files).toBe(
      [
        '== ./NetworkManager/conf.d/cloudmapd.conf',
        '[main]',
        'dns=dnsmasq',
        '== ./NetworkManager/dnsmasq.d/cloudmapd.conf',
        ...MANY.names.map((name) => `server=/${name}/::1#53`),
        '',
      ].join('\n'),
    );
    expect(ran).toBe('systemctl|restart|NetworkManager|\n'.repeat(2));
  });
});

it('a dnsmasq with the file asks the daemon for those names, and for no others', async (context) => {
  requireTool(context, 'dnsmasq');
  const daemon = await journey.start({ settings: { STORE: 'memory' } });
  const api = new Api(daemon.endpoint);
  const namespaceId = await api.createNamespace('shop.internal');
  const serviceId = await api.createService(namespaceId, 'api');
  await api.register(serviceId, 'api-1', { AWS_INSTANCE_IPV4: '10.0.0.21' });
  const zones = { names: ['shop.internal'], server: { address: '127.0.0.1', port: daemon.dnsPort } };
  const { files } = await paste(context, 'networkmanager', zones);
  const config = journey.writeFile('cloudmapd.conf', files.split('dnsmasq.d/cloudmapd.conf\n')[1] as string);
  const port = await closedPort();
  const child = spawn(
    'dnsmasq',
    [
      '--keep-in-foreground',
      '--no-resolv',
      '--no-hosts',
      '--bind-interfaces',
      '--listen-address=127.0.0.1',
      `--port=${port}`,
      '--pid-file=',
      `--conf-file=${config}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: TOOL_ENV },
  );
  try {
    await waitFor('dnsmasq', () => askTcp(port, [buildQuery('version.bind', 'TXT', { qclass: 3 })]).catch(() => null));
    expect((await dig(port, 'api.shop.internal', 'A', { rd: true })).answer).toEqual([
      'api.shop.internal. 60 IN A 10.0.0.21',
    ]);
    expect((await dig(port, 'api.shop.example', 'A', { rd: true })).rcode).toBe('REFUSED');
  } finally {
    child.kill();
    await once(child, 'close');
  }
});
