/** `cloudmapd import`: a document or the content of AWS into the registry; or what that would change. */
import { createReadStream, statSync } from 'node:fs';
import { ConfigFileError, parseYaml, type YamlFile } from '../declared/yaml.ts';
import { createEc2Lookup } from '../ec2.ts';
import type { ImportOptions } from '../transfer/import-options.ts';
import { ImportError, type ImportProgress, type ImportReport } from '../transfer/report.ts';
import { CommandError, UsageError } from './command.ts';
import { count } from './count.ts';
import { ask, lost, readProblem, readText } from './daemon-client.ts';
import { withRegistry } from './folder.ts';
import type { AwsFlags } from './from-aws.ts';
import { reportLines } from './import-report.ts';
import { linesOf } from './lines.ts';
import { writeOutput } from './output.ts';
import { type Progress, startProgress, withProgress } from './progress.ts';
import { type DaemonTarget, type FolderTarget, findTarget, type TargetFlags } from './target.ts';

export interface ImportFlags extends TargetFlags, AwsFlags {
  readonly dryRun?: boolean;
  readonly fromAws?: boolean;
}

/** What is imported. */
type Input =
  /** Either form, as it stands there. */
  | {
      readonly kind: 'json';
      readonly name: string;
      readonly chunks: AsyncIterable<string | Uint8Array>;
      /** In bytes; null: it is not known before its end. */
      readonly size: number | null;
    }
  | { readonly kind: 'yaml'; readonly name: string; readonly yaml: YamlFile };

/** @param file null: none was given; `-`: stdin */
export async function importContent(file: string | null, flags: ImportFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const { dryRun = false, fromAws = false } = flags;
  refuseWrongFlags(file, flags);
  // Looked for first: reading may take long, and would be in vain.
  const target = await findTarget(flags, env, true);
  const progress = startProgress();
  let report: ImportReport;
  try {
    const read = fromAws ? await readAws(flags, progress) : await readInput(file as string);
    const input = read.kind === 'json' ? { ...read, chunks: sent(read, progress) } : read;
    const onProgress = (each: ImportProgress): void => showProgress(progress, each);
    report =
      target.kind === 'daemon'
        ? await upload(target, input, dryRun, onProgress)
        : await importHere(target, input, { dryRun, onProgress });
  } finally {
    progress.end();
  }
  await writeOutput(null, [`${reportLines(report).join('\n')}\n`], 0);
}

function refuseWrongFlags(file: string | null, flags: ImportFlags): void {
  if (flags.fromAws) {
    if (file !== null) throw new UsageError('import: a file or --from-aws is expected, not both');
    const { awsEndpoint } = flags;
    if (awsEndpoint !== undefined && !/^https?:$/.test(URL.parse(awsEndpoint)?.protocol ?? '')) {
      throw new UsageError(`--aws-endpoint: "${awsEndpoint}" is no URL such as http://127.0.0.1:5000`);
    }
    return;
  }
  if (file === null) throw new UsageError('import: a file is expected, or - for stdin, or --from-aws');
  const [flag] = (['awsEndpoint', 'awsRegion', 'awsProfile'] as const).filter((key) => flags[key] !== undefined);
  if (flag !== undefined) {
    throw new UsageError(`--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} goes with --from-aws`);
  }
}

/** The document is read first, and then checked and put in, which takes longer. */
async function* sent(
  { chunks, size }: Input & { readonly kind: 'json' },
  progress: Progress,
): AsyncGenerator<string | Uint8Array> {
  yield* withProgress(chunks, progress, 'reading', size);
  progress.show('importing');
}

async function readAws(flags: AwsFlags, progress: Progress): Promise<Input> {
  const { readCloudMap } = await import('./from-aws.ts');
  const { name, chunks } = await readCloudMap(flags, progress);
  return { kind: 'json', name, chunks, size: null };
}

/** JSON by how it begins, and then it is read while it is sent; else YAML, which is parsed here. */
async function readInput(file: string): Promise<Input> {
  const name = nameOf(file);
  const chunks: AsyncIterator<Uint8Array> = readBytes(file);
  const head: Uint8Array[] = [];
  let signs = '';
  while (signs === '' || signs === '{') {
    const { value, done } = await chunks.next();
    if (done) break;
    head.push(value);
    signs = (signs + Buffer.from(value).toString('latin1').replace(BYTE_ORDER_MARK, '').replaceAll(/\s/g, '')).slice(
      0,
      2,
    );
  }
  // A brace alone begins a mapping of YAML too. Nothing behind it: JSON says where that is.
  if (['{"', '{}', '{'].includes(signs)) return { kind: 'json', name, chunks: chain(head, chunks), size: sizeOf(file) };
  const whole: Uint8Array[] = [];
  for await (const chunk of chain(head, chunks)) whole.push(chunk);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(whole));
    return { kind: 'yaml', name, yaml: parseYaml(name, text) };
  } catch (cause) {
    if (cause instanceof ConfigFileError) throw new CommandError(cause.message, { cause });
    throw new CommandError(`${name} is no text in UTF-8`, { cause });
  }
}

/** For messages. */
function nameOf(file: string): string {
  return file === '-' ? 'stdin' : file;
}

/** Null: it has none of its own, as a pipe. */
function sizeOf(file: string): number | null {
  const found = file === '-' ? undefined : statSync(file, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : null;
}

/** As read byte by byte. */
const BYTE_ORDER_MARK = /^\u00ef\u00bb\u00bf/;

async function* readBytes(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* file === '-' ? process.stdin : createReadStream(file);
  } catch (cause) {
    throw new CommandError(`cannot read ${nameOf(file)}: ${(cause as Error).message}`, { cause });
  }
}

async function* chain(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* head;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

function showProgress(progress: Progress, { phase, done, total }: ImportProgress): void {
  const text = done === 0 ? phase : `${phase}: ${done} of ${count(total, 'record')}`;
  progress.show(text, done === 0 ? undefined : done / total);
}

async function upload(
  { endpoint }: DaemonTarget,
  input: Input,
  dryRun: boolean,
  onProgress: (progress: ImportProgress) => void,
): Promise<ImportReport> {
  const body = input.kind === 'json' ? input.chunks : [JSON.stringify(input.yaml.value)];
  const accept = 'application/x-ndjson';
  const response = await ask(endpoint, 'POST', `/admin/import?dryRun=${dryRun}`, body, { accept });
  if (response.statusCode !== 200) throw refusalOf(input, await readProblem(endpoint, response));
  let last: Record<string, unknown> | null = null;
  try {
    // An older daemon has the report alone, without an end of its line.
    const hasLines = response.headers['content-type']?.startsWith(accept) === true;
    for await (const line of hasLines ? linesOf(response) : [await readText(response)]) {
      const told = JSON.parse(line);
      if (told.progress === undefined) last = told;
      else onProgress(told.progress);
    }
  } catch (error) {
    throw lost(endpoint, error);
  }
  if (last === null) throw lost(endpoint, new Error('its answer ends too early'));
  if (last.error !== undefined) throw refusalOf(input, last);
  return last as unknown as ImportReport;
}

/** @param told by the daemon */
function refusalOf(input: Input, { error, problem, path }: Readonly<Record<string, unknown>>): CommandError {
  const what = typeof problem === 'string' ? problem : null;
  return refusal(input, String(error), what, Array.isArray(path) ? path : null);
}

async function importHere(target: FolderTarget, input: Input, how: Omit<ImportOptions, 'ec2'>): Promise<ImportReport> {
  const { importText, importTree } = await import('../transfer/import.ts');
  const { settings } = target.configuration;
  const ec2 = settings.ec2Endpoint === undefined ? null : createEc2Lookup(settings.ec2Endpoint, settings.region);
  const options = { ...how, ec2 };
  try {
    return await withRegistry(
      target,
      (registry) =>
        input.kind === 'json'
          ? importText(registry, input.chunks, options)
          : importTree(registry, input.yaml.value, options),
      how.dryRun,
    );
  } catch (error) {
    if (error instanceof ImportError) throw refusal(input, error.message, error.problem, error.path);
    throw error;
  }
}

/** In YAML the line is told, which only who read it knows. */
function refusal(
  input: Input,
  message: string,
  problem: string | null,
  path: readonly (string | number)[] | null,
): CommandError {
  if (input.kind === 'yaml' && path !== null) {
    return new CommandError(input.yaml.errorAt(path, problem ?? message).message);
  }
  return new CommandError(`${input.name}: ${message}`);
}
