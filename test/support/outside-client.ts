/** Clients of Cloud Map that are no part of npm: Debian's boto3 and AWS CLI. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import type { TestContext } from 'vitest';
import { type Ended, type Journey, runCommand, runsToSuccess, skipOrFail } from './journey-tools.ts';

/** What comes back, as the client read it; dates are ISO 8601. */
// biome-ignore lint/suspicious/noExplicitAny: the members depend on the operation, and a wrong one fails the test
export type Output = any;

export interface OutsideClient {
  /** Carries one operation out. @throws ClientRefusal where the daemon refuses, Error where the client fails */
  call(operation: string, input?: Readonly<Record<string, unknown>>): Promise<Output>;
}

/** Turns a command line into one that runs with something more around it. */
export type Wrap = (command: string, args: readonly string[]) => readonly [string, readonly string[]];

/** What the README's hosts entry makes of the endpoint. */
export const HOSTS_NAME = 'cloudmap';

// $0 is the file that stands in for /etc/hosts; the rest is the command.
const BIND_HOSTS = 'mount --bind "$0" /etc/hosts && exec "$@"';

/**
 * The README's way past the `data-` prefix without touching the client, for one command at a time: the entry is in a
 * hosts file that only the command's own mount namespace sees, the machine's stays as it is.
 */
export function hostsEntry(context: TestContext, journey: Journey): Wrap {
  const entry = `127.0.0.1 ${HOSTS_NAME} data-${HOSTS_NAME}\n`;
  const file = journey.writeFile('hosts', `${readFileSync('/etc/hosts', 'utf8').trimEnd()}\n${entry}`);
  // Whoever is not root becomes it inside of the namespace.
  for (const flags of [['--mount'], ['--map-root-user', '--mount']]) {
    const wrap: Wrap = (command, args) => ['unshare', [...flags, 'sh', '-c', BIND_HOSTS, file, command, ...args]];
    if (runsToSuccess(...wrap('getent', ['hosts', `data-${HOSTS_NAME}`]))) return wrap;
  }
  return skipOrFail(context, 'unshare --mount may not bind a hosts file on this machine');
}

/** No settings, credentials or proxies of the machine: only what a test says. */
export function clientEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: tmpdir(),
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_PAGER: '',
    ...extra,
  };
}

export const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'any', AWS_SECRET_ACCESS_KEY: 'any' };

/** An answer of the daemon that the client raised as an error. */
export class ClientRefusal extends Error {
  /** boto3's modelled exceptions that catch it. */
  readonly classes: readonly string[];
  /** What boto3 keeps in `e.response`. */
  readonly response: Output;

  constructor(classes: readonly string[], response: Output) {
    super(`${classes}: ${JSON.stringify(response)}`);
    this.classes = classes;
    this.response = response;
  }
}

const BOTO3_CALLS = new URL('./boto3-calls.py', import.meta.url).pathname;

export interface Boto3 extends OutsideClient {
  /** The whole result, page by page. */
  paginate(operation: string, pageSize: number, input?: Readonly<Record<string, unknown>>): Promise<Output[]>;
  /** What this version of it knows. */
  about(): Promise<{ operations: string[]; paginated: string[]; settings: string[] }>;
  close(): void;
}

/** Debian's boto3, whatever Python comes first in the PATH. @param environment `code`: as in boto3-calls.py */
export function startBoto3(
  endpoint: string,
  { switchedBy = 'code' as 'code' | 'environment', environment = {}, wrap = ((...line) => line) as Wrap } = {},
): Boto3 {
  const [command, args] = wrap('/usr/bin/python3', [BOTO3_CALLS, endpoint, switchedBy]);
  const child = spawn(command, args, {
    env: clientEnvironment({ ...CREDENTIALS, ...environment }),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();
  // Answers come in the order of the lines, so one call waits for the one before.
  const ask = (request: object): Promise<Output> => {
    const answer = last.then(async () => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error('boto3 has ended');
      const { result, error, failure } = JSON.parse(value);
      if (failure !== undefined) throw new Error(failure);
      if (error !== undefined) throw new ClientRefusal(error.classes, error.response);
      return result;
    });
    last = answer.catch(() => {});
    return answer;
  };
  return {
    call: async (operation, input = {}) => {
      const { ResponseMetadata, ...output } = await ask({ call: operation, input });
      return output;
    },
    paginate: (operation, pageSize, input = {}) => ask({ paginate: operation, pageSize, input }),
    about: () => ask({}),
    close: () => {
      child.kill();
    },
  };
}

export interface AwsCli extends OutsideClient {
  /** `aws servicediscovery` with these arguments, to its end. */
  run(...args: string[]): Promise<Ended>;
  /** The operations that this version of it knows, as subcommands. */
  operations(): Promise<string[]>;
}

/** `ListTagsForResource` -> `list-tags-for-resource`, `ResourceARN` -> `resource-arn`. */
export function kebab(name: string): string {
  return name.replaceAll(/([a-z])([A-Z])/g, '$1-$2').toLowerCase();
}

/** Debian's AWS CLI, whatever other comes first in the PATH. Calls may overlap. */
export function awsCli(endpoint: string, { signed = false, wrap }: { signed?: boolean; wrap: Wrap }): AwsCli {
  const run = (...args: string[]) => {
    const common = ['servicediscovery', '--endpoint-url', endpoint, ...(signed ? [] : ['--no-sign-request'])];
    return runCommand(...wrap('/usr/bin/aws', [...common, ...args]), clientEnvironment(signed ? CREDENTIALS : {}));
  };
  return {
    run,
    call: async (operation, input = {}) => {
      const options = Object.entries(input).flatMap(([member, value]) => [
        `--${kebab(member)}`,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]);
      const { code, stdout, stderr } = await run(kebab(operation), ...options);
      if (code !== 0) throw new Error(`aws ${operation} ended with ${code}: ${stderr}`);
      // Nothing is printed where the operation has nothing to say.
      return stdout === '' ? {} : JSON.parse(stdout);
    },
    operations: async () => {
      // Its help wants groff; a subcommand that does not exist lists the ones that do.
      const { stderr } = await run('no-such-operation');
      const [, list = ''] = stderr.split('valid choices are:');
      return (list.match(/[a-z-]{3,}/g) ?? []).filter((word) => word !== 'help' && word !== 'wait').sort();
    },
  };
}
