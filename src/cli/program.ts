/** The commands and their flags. */
import { Command, Option } from 'commander';
import { settingFlags } from '../config.ts';
import { readVersion } from '../version.ts';
import { check } from './check.ts';
import { EXIT_USAGE } from './exit-codes.ts';

const ENDPOINT_HELP = 'of the daemon (CLOUDMAPD_ENDPOINT; default http://127.0.0.1:8053)';
const NAMESPACE_HELP = 'name, HttpName, id or ARN';
const SERVICE_HELP = 'name, id or ARN';
const TIMEOUT_HELP = 'wait so long, such as 500ms, 60s or 5m; then the exit code is 1';

/** @param argv as the process has it */
export async function run(argv: readonly string[]): Promise<void> {
  const program = new Command('cloudmapd')
    .description('AWS Cloud Map for a laptop, a CI job or a dev network')
    .version(readVersion())
    .addHelpText('afterAll', '\nExit codes: 0 done; 1 it could not be done, and one line says why; 2 wrong usage')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE));

  const serve = program
    .command('serve')
    .description('run the daemon')
    .option('--config <file>', 'YAML file: settings and declared content (CLOUDMAPD_CONFIG)');
  for (const { flag, help } of settingFlags()) serve.option(`${flag} <value>`, help);
  serve.action(async (flags: Record<string, string>) => {
    const { serve: start } = await import('./serve.ts');
    await start(flags, process.env);
  });

  program
    .command('check')
    .description('say whether a configuration file is right')
    .argument('<file>', 'YAML file')
    .action((file: string) => check(file));

  addTarget(program.command('export').description('write everything, as YAML that declares it or as JSON'))
    .addOption(
      new Option('--format <format>', 'yaml: declared content; json: with ids, revisions, health, tags, for import')
        .choices(['yaml', 'json'])
        .default('yaml'),
    )
    .option('--output <file>', 'written whole or not at all (default: stdout)')
    .action(async (flags) => {
      const [{ runCommand }, { exportContent }] = await Promise.all([import('./command.ts'), import('./export.ts')]);
      await runCommand(() => exportContent(flags, process.env));
    });

  addTarget(program.command('import').description('bring in what an export wrote, declared YAML, or what AWS has'))
    .argument('[file]', 'YAML or JSON; -: stdin')
    .option('--dry-run', 'say what it would change, and change nothing')
    .option('--from-aws', 'read namespaces, services and instances through the AWS SDK')
    .option('--aws-endpoint <url>', 'any endpoint that speaks the Cloud Map API (default: that of AWS)')
    .option('--aws-region <region>', 'default: as the AWS SDK finds it')
    .option('--aws-profile <name>', 'of the AWS configuration; default: as the AWS SDK finds it')
    .action(async (file: string | undefined, flags) => {
      const [{ runCommand }, { importContent }] = await Promise.all([import('./command.ts'), import('./import.ts')]);
      await runCommand(() => importContent(file ?? null, flags, process.env));
    });

  addTarget(program.command('backup').description("copy the store's file, while the daemon runs"))
    .argument('<file>', 'written whole or not at all')
    .action(async (file: string, flags) => {
      const [{ runCommand }, { backup }] = await Promise.all([import('./command.ts'), import('./backup.ts')]);
      await runCommand(() => backup(file, flags, process.env));
    });

  addDaemon(program.command('ls').description('list namespaces, the services of one, or the instances of a service'))
    .argument('[namespace]', `${NAMESPACE_HELP} (default: all)`)
    .argument('[service]', `${SERVICE_HELP} (default: all)`)
    .action(async (namespace: string | undefined, service: string | undefined, flags) => {
      const [{ runCommand }, { list }] = await Promise.all([import('./command.ts'), import('./ls.ts')]);
      await runCommand(() => list(namespace ?? null, service ?? null, flags, process.env));
    });

  addDaemon(addPlace(program.command('discover').description('find instances, as an application would')))
    .option('--health <filter>', 'HEALTHY, UNHEALTHY, ALL or HEALTHY_OR_ELSE_ALL (default: HEALTHY)')
    .option('--attribute <key=value>', 'only those that have it; may be given more than once', collect)
    .option('--optional <key=value>', 'those that have it, if any has; may be given more than once', collect)
    .option('--max <number>', 'at most so many, at random (default: 1000)')
    .action(async (namespace: string, service: string, flags) => {
      const [{ runCommand }, { discover }] = await Promise.all([import('./command.ts'), import('./discover.ts')]);
      await runCommand(() => discover(namespace, service, flags, process.env));
    });

  addDaemon(addPlace(program.command('register').description('register an instance, or replace one')))
    .argument('<instance>', 'its id')
    .option('--ipv4 <address>', 'AWS_INSTANCE_IPV4')
    .option('--ipv6 <address>', 'AWS_INSTANCE_IPV6')
    .option('--cname <name>', 'AWS_INSTANCE_CNAME')
    .option('--port <number>', 'AWS_INSTANCE_PORT')
    .option('--attribute <key=value>', 'any other attribute; may be given more than once', collect)
    .option('--no-wait', "do not wait for the operation's end: print its id")
    .option('--timeout <duration>', TIMEOUT_HELP, '60s')
    .action(async (namespace: string, service: string, instance: string, flags) => {
      const [{ runCommand }, { register }] = await Promise.all([import('./command.ts'), import('./register.ts')]);
      await runCommand(() => register(namespace, service, instance, flags, process.env));
    });

  addDaemon(addPlace(program.command('deregister').description('deregister an instance')))
    .argument('<instance>', 'its id')
    .option('--no-wait', "do not wait for the operation's end: print its id")
    .option('--timeout <duration>', TIMEOUT_HELP, '60s')
    .action(async (namespace: string, service: string, instance: string, flags) => {
      const [{ runCommand }, { deregister }] = await Promise.all([import('./command.ts'), import('./register.ts')]);
      await runCommand(() => deregister(namespace, service, instance, flags, process.env));
    });

  addDaemon(addPlace(program.command('health').description('show health statuses, or set one of a custom check')))
    .argument('[instance]', 'its id (default: all)')
    .argument('[status]', 'HEALTHY or UNHEALTHY: set, where the service has HealthCheckCustomConfig')
    .action(
      async (namespace: string, service: string, instance: string | undefined, status: string | undefined, flags) => {
        const [{ runCommand }, { health }] = await Promise.all([import('./command.ts'), import('./health.ts')]);
        await runCommand(() => health([namespace, service], instance ?? null, status ?? null, flags, process.env));
      },
    );

  addDaemon(addPlace(program.command('wait').description('wait for the daemon, the service and its healthy instances')))
    .option('--healthy <number>', 'so many instances; 0: the service alone', '1')
    .option('--timeout <duration>', TIMEOUT_HELP, '60s')
    .action(async (namespace: string, service: string, flags) => {
      const [{ runCommand }, { wait }] = await Promise.all([import('./command.ts'), import('./wait.ts')]);
      await runCommand(() => wait(namespace, service, flags, process.env));
    });

  addDaemon(program.command('flush').description('forget what upstreams have answered'))
    .argument('[name]', 'of which the answers are forgotten (default: all)')
    .option('--below', 'those of the names below it too')
    .action(async (name: string | undefined, flags) => {
      const [{ runCommand }, { flush }] = await Promise.all([import('./command.ts'), import('./flush.ts')]);
      await runCommand(() => flush(name ?? null, flags, process.env));
    });

  addStream(program.command('watch').description('tell registry changes and health transitions, until Ctrl-C'))
    .argument('[namespace]', `${NAMESPACE_HELP} (default: all); it may be created yet`)
    .argument('[service]', `${SERVICE_HELP} (default: all)`)
    .action(async (namespace: string | undefined, service: string | undefined, flags) => {
      const [{ runCommand }, { watch }] = await Promise.all([import('./command.ts'), import('./watch.ts')]);
      await runCommand(() => watch(namespace ?? null, service ?? null, flags, process.env));
    });

  addDaemon(
    program
      .command('doctor')
      .description('say what keeps names from resolving, and the lines that mend it; exit code 1 if anything does'),
  )
    .option('--config <file>', 'settings of a daemon that is yet to start (CLOUDMAPD_CONFIG)')
    .option(
      '--dns <address>',
      'where its DNS is reached, such as the port that a container publishes (default: where it listens)',
    )
    .action(async (flags) => {
      const [{ runCommand }, { doctor }] = await Promise.all([import('./command.ts'), import('./doctor.ts')]);
      await runCommand(() => doctor(flags, process.env));
    });

  addDaemon(program.command('explain').description('say why a name is answered as it is'))
    .argument('<name>', 'such as web.demo.internal')
    .argument('[type]', 'such as AAAA, SRV or TYPE65', 'A')
    .option('--from <ip>', 'the client that asks (default: 127.0.0.1)')
    .action(async (name: string, type: string, flags) => {
      const [{ runCommand }, { explainAnswer }] = await Promise.all([import('./command.ts'), import('./explain.ts')]);
      await runCommand(() => explainAnswer(name, type, flags, process.env));
    });

  addStream(program.command('queries').description('show DNS queries as they are answered, until Ctrl-C'))
    .option('--name <name>', 'that name and those below it alone')
    .option('--client <address>', 'of that client alone')
    .action(async (flags) => {
      const [{ runCommand }, { queries }] = await Promise.all([import('./command.ts'), import('./queries.ts')]);
      await runCommand(() => queries(flags, process.env));
    });

  await program.parseAsync(argv);
}

/** Of a flag that may be given more than once: each use adds one. */
function collect(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

function addPlace(command: Command): Command {
  return command.argument('<namespace>', NAMESPACE_HELP).argument('<service>', SERVICE_HELP);
}

/** Flags of the commands that only a running daemon can answer. */
function addDaemon(command: Command, json = 'one JSON document on stdout, for scripts'): Command {
  return command.option('--endpoint <url>', ENDPOINT_HELP).option('--json', json);
}

/** Of those among them that go on. */
function addStream(command: Command): Command {
  return addDaemon(command, 'a JSON document on each line, for scripts');
}

/** Flags of the commands that a running daemon is asked for. */
function addTarget(command: Command): Command {
  return command
    .option('--endpoint <url>', ENDPOINT_HELP)
    .option('--data-dir <folder>', 'for a folder that no daemon holds (CLOUDMAPD_DATA_DIR; default ./data)')
    .option('--config <file>', 'settings of that folder (CLOUDMAPD_CONFIG)');
}
