/** `cloudmapd doctor` as a script asks it. */
import { expect } from 'vitest';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { type CliOptions, runCli } from './cli.ts';

export interface Diagnosis {
  readonly code: number | null;
  readonly problems: number;
  readonly findings: readonly Finding[];
  readonly setups: Readonly<Record<string, readonly string[]>>;
  /** Those of that kind that are not in order. */
  of(check: Finding['check']): readonly Finding[];
}

/** Its exit code and its count are held against its findings. */
export async function examine(endpoint: string | null, options: CliOptions = {}): Promise<Diagnosis> {
  const flags = endpoint === null ? [] : ['--endpoint', endpoint];
  return readDiagnosis(await runCli(['doctor', '--json', ...flags], options));
}

export function readDiagnosis({
  code,
  stdout,
  stderr,
}: {
  code: number | null;
  stdout: string;
  stderr: string;
}): Diagnosis {
  expect(stderr).toBe('');
  const { problems, findings, setups } = JSON.parse(stdout);
  expect(problems).toBe(findings.filter(({ status }: Finding) => status === 'problem').length);
  expect(code).toBe(problems === 0 ? 0 : 1);
  return {
    code,
    problems,
    findings,
    setups,
    of: (check) => findings.filter((finding: Finding) => finding.check === check && finding.status !== 'ok'),
  };
}

/** `KEY=value` as `DaemonOptions.settings` has it, out of the lines that mend; a shell's quotes are taken off. */
export function settingIn(mend: readonly string[], key: string): string {
  const line = mend.find((each) => each.startsWith(`CLOUDMAPD_${key}=`));
  if (line === undefined) throw new Error(`no line sets CLOUDMAPD_${key}: ${mend.join(' / ')}`);
  const value = line.slice(`CLOUDMAPD_${key}=`.length);
  return /^'([^']*)'/.exec(value)?.[1] ?? (value.split(' ')[0] as string);
}
