/** The commands and their flags. */
import { Command } from 'commander';
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

  await program.parseAsync(argv);
}
