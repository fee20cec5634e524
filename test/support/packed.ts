/** The package as `npm pack` makes it, in the folder of somebody's project. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runCommand } from './journey-tools.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const MODULES = join(ROOT, 'node_modules');

/**
 * Packs the package and installs it into `<folder>/project/node_modules`. What it depends on, and `tools`, are links to
 * what is installed here: npm would have to fetch them all.
 * @param folder exists
 * @returns the project's folder
 */
export async function installPacked(folder: string, tools: readonly string[]): Promise<string> {
  const source = join(folder, 'source');
  const project = join(folder, 'project');
  const target = join(project, 'node_modules/cloudmapd');
  mkdirSync(source);
  mkdirSync(target, { recursive: true });
  const { files, dependencies, optionalDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  copyFileSync(join(ROOT, 'package.json'), join(source, 'package.json'));
  await run(process.execPath, join(ROOT, 'config/build.ts'), join(source, 'dist'));
  for (const path of files as string[]) {
    if (path !== 'dist') cpSync(join(ROOT, path), join(source, path), { recursive: true });
  }
  // Built above, into this folder instead of the repository's.
  await run('npm', 'pack', source, '--ignore-scripts', '--pack-destination', folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) as string;
  await run('tar', '-xzf', join(folder, tarball), '-C', target, '--strip-components=1');
  for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...tools]) {
    const link = join(project, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    if (existsSync(join(MODULES, name))) symlinkSync(join(MODULES, name), link);
  }
  return project;
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await runCommand(command, args);
  if (code !== 0) throw new Error(`${command} ${args[0]} ended with ${code}: ${stderr}`);
}
