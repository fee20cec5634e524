/** The commands and their flags. */
import { Command, Option } from 'commander';
import { settingFlags } from '../config.ts';
import { readVersion } from '../version.ts';
import { check } from './check.ts';
import { EXIT_USAGE } from './exit-codes.ts';

/** @param argv as the process has it */
export async function run(argv: readonly string[]): Promise<void> {
  const program = new Command('cloudmapd')
    .description('AWS Cloud Map for a laptop, a CI job or a dev network')
    .version(readVersion())
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

  program
    .command('queries')
    .description('show DNS queries as they are answered, until Ctrl-C')
    .option('--endpoint <url>', 'of the daemon (CLOUDMAPD_ENDPOINT; default http://127.0.0.1:8053)')
    .option('--name <name>', 'that name and those below it alone')
    .option('--client <address>', 'of that client alone')
    .option('--json', 'a line of JSON for each query')
    .action(async (flags) => {
      const [{ runCommand }, { queries }] = await Promise.all([import('./command.ts'), import('./queries.ts')]);
      await runCommand(() => queries(flags, process.env));
    });

  await program.parseAsync(argv);
}

/** Flags of the commands that a running daemon is asked for. */
function addTarget(command: Command): Command {
  return command
    .option('--endpoint <url>', 'of the daemon (CLOUDMAPD_ENDPOINT; default http://127.0.0.1:8053)')
    .option('--data-dir <folder>', 'for a folder that no daemon holds (CLOUDMAPD_DATA_DIR; default ./data)')
    .option('--config <file>', 'settings of that folder (CLOUDMAPD_CONFIG)');
}
