/**
 * A systemd-resolved of a test's own, with its bus, its /etc and its /run, in the network of the test: the machine's
 * own, if it has one, stays as it is. Needs root, as resolved becomes another user.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { type Ended, type Journey, runCommand, runsToSuccess, skipOrFail, TOOL_ENV, waitFor } from './journey-tools.ts';
import type { TestNetwork } from './test-network.ts';

/** Where Debian's package is unpacked, as installing it replaces /etc/resolv.conf; without it, what is installed. */
const ROOT = process.env.SYSTEMD_RESOLVED_ROOT ?? '';
const SERVER = `${ROOT}/lib/systemd/systemd-resolved`;
const POLICY = `${ROOT}/usr/share/dbus-1/system.d/org.freedesktop.resolve1.conf`;

/** Who may do what on a bus that has nobody but resolved: what Debian's says (dbus-daemon's system.conf), in short. */
const BUS = `<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
  <include>${POLICY}</include>
</busconfig>
`;

/**
 * Argument: the /etc. It says when that is there, and ends with its stdin, and so with this process; or with resolved.
 * The bus forks when it can be connected to: resolved ends where it finds a socket that it may not use yet.
 */
const SCRIPT = `
mount --bind "$1" /etc && mount -t tmpfs tmpfs /run && mkdir /run/dbus /run/systemd || exit
echo mounted
bus=$(dbus-daemon --config-file=/etc/bus.conf --fork --nopidfile --nosyslog --print-pid) || exit
exec 3<&0
${SERVER} &
resolved=$!
{ cat <&3 >/dev/null; kill $resolved; } 2>/dev/null &
wait $resolved
kill $bus`;

/**
 * Not every kernel has links of the type dummy. Of a pair whose other end is up resolved thinks as of a dummy: it is up,
 * and has a carrier. A bridge without ports has none.
 */
const IP_WITHOUT_DUMMY = `PATH=\${PATH#*:}
[ "$*" = 'link add cloudmap type dummy' ] || exec ip "$@"
ip link add cloudmap type veth peer name cloudmap-peer && ip link set cloudmap-peer up`;

export interface Resolved {
  /** Runs a shell's lines where resolved is the machine's: libc, `resolvectl` and `ip` know nothing else. */
  run(lines: readonly string[]): Promise<Ended>;
}

/** Skips the test, saying why, where there is none, or where none can be started; under CI that is a failure. */
export function requireResolved(context: TestContext): void {
  if (process.getuid?.() !== 0) skipOrFail(context, 'systemd-resolved needs root');
  if (!existsSync(SERVER) || !existsSync(POLICY)) skipOrFail(context, `there is no ${SERVER}`);
  if (!runsToSuccess('dbus-daemon', ['--version'])) skipOrFail(context, 'dbus-daemon does not work on this machine');
}

/** It is stopped when the test ends. @param settings lines of resolved.conf(5) */
export async function startResolved(
  context: TestContext,
  journey: Journey,
  network: TestNetwork,
  settings: readonly string[],
): Promise<Resolved> {
  const etc = makeEtc(journey, settings);
  const [enter = '', ...entering] = network.launcher;
  const hasDummy = runsToSuccess(enter, [...entering, 'unshare', '--net', 'ip', 'link', 'add', 'type', 'dummy']);
  // Who is root need not have sudo.
  const bin = makeBin(journey, { sudo: 'exec "$@"', ...(hasDummy ? {} : { ip: IP_WITHOUT_DUMMY }) });
  const libraries = (await runCommand('sh', ['-c', `echo ${ROOT}/usr/lib/*/systemd`])).stdout.trim();
  const env = { PATH: `${bin}:${ROOT}/usr/bin:${TOOL_ENV.PATH}`, LD_LIBRARY_PATH: libraries };

  const server = spawn(enter, [...entering, 'unshare', '--mount', 'sh', '-c', SCRIPT, 'sh', etc], {
    env,
  });
  let said = '';
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk;
    });
  }
  const ended = once(server, 'close');
  context.onTestFinished(async () => {
    server.stdin.end();
    await ended;
  });
  // What enters the network becomes the shell that has the files.
  const inside = ['--target', `${server.pid}`, '--net', '--mount', '--'];
  const run = (lines: readonly string[]): Promise<Ended> =>
    runCommand('nsenter', [...inside, 'sh', '-c', lines.join('\n')], env);
  await waitFor('systemd-resolved', async () => {
    if (server.exitCode !== null) throw new Error(`systemd-resolved has ended: ${said}`);
    // Before that, what is run would be run in the machine's own network.
    if (!said.includes('mounted')) return null;
    return (await run(['resolvectl status'])).code === 0 ? true : null;
  });
  return { run };
}

/** A folder of commands that are executed instead of the machine's. */
function makeBin(journey: Journey, commands: Readonly<Record<string, string>>): string {
  const bin = journey.newPath('bin');
  mkdirSync(bin, { recursive: true });
  for (const [name, text] of Object.entries(commands)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}

/** As Debian's package leaves it, for programs that look names up in files and in DNS, as most do. */
function makeEtc(journey: Journey, settings: readonly string[]): string {
  const etc = journey.newPath('etc');
  mkdirSync(join(etc, 'systemd'), { recursive: true });
  const files = {
    'bus.conf': BUS,
    passwd: 'root:x:0:0::/root:/bin/sh\nsystemd-resolve:x:996:996::/:/usr/sbin/nologin\n',
    group: 'root:x:0:\nsystemd-resolve:x:996:\n',
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
    'systemd/resolved.conf': ['[Resolve]', ...settings, ''].join('\n'),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(etc, name), text);
  symlinkSync('../run/systemd/resolve/stub-resolv.conf', join(etc, 'resolv.conf'));
  return etc;
}
