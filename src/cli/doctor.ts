/** `cloudmapd doctor`: what keeps names from resolving, each with the exact line that mends it. */

import { parseEndpoint } from '../setting-forms.ts';
import { type AskFlags, endpointOf } from './api-client.ts';
import { printable, UsageError } from './command.ts';
import { gatherFacts } from './doctor/facts.ts';
import type { Finding } from './doctor/finding.ts';
import { findingsOf } from './doctor/findings.ts';
import { SETUPS, setupLines } from './doctor/name-setups.ts';
import { serverOf } from './doctor/names.ts';
import { EXIT_FAILURE } from './exit-codes.ts';
import { writeResult } from './result.ts';
import type { Paint, Style } from './table.ts';

export interface DoctorFlags extends AskFlags {
  /** Settings of a daemon that is yet to start. */
  readonly config?: string;
  /** Where this machine reaches the daemon's DNS, if not where it listens. */
  readonly dns?: string;
}

const DNS_PORT = 53;

/** Exit code 1 where something is wrong. */
export async function doctor(flags: DoctorFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const publishedDns = flags.dns === undefined ? null : parseEndpoint(flags.dns, DNS_PORT);
  if (flags.dns !== undefined && publishedDns === null) {
    throw new UsageError(`--dns: "${flags.dns}" is no address such as 127.0.0.1:1053`);
  }
  const facts = await gatherFacts(endpointOf(flags, env), flags.config, publishedDns, env);
  const findings = findingsOf(facts);
  const problems = findings.filter(({ status }) => status === 'problem').length;
  if (problems > 0) process.exitCode = EXIT_FAILURE;
  const daemon = typeof facts.daemon === 'string' ? null : facts.daemon;
  const names = daemon?.dns?.zones ?? [];
  const server = daemon === null ? null : serverOf(daemon);
  const hasSetups = server !== null && names.length > 0;
  const setups = hasSetups
    ? Object.fromEntries(SETUPS.map((setup) => [setup, setupLines(setup, { names, server })]))
    : {};
  await writeResult(flags.json, { problems, findings, setups }, (paint) => humanLines(findings, problems, paint));
}

const STYLES: Readonly<Record<Finding['status'], Style>> = { ok: 'green', note: 'yellow', problem: 'red' };
const INDENT = ' '.repeat(9);

function humanLines(findings: readonly Finding[], problems: number, paint: Paint): string[] {
  const lines = findings.flatMap(({ status, message, mend }) => [
    `${paint(STYLES[status], status)}${INDENT.slice(status.length)}${printable(message)}`,
    ...mend.map((line) => `${INDENT}  ${printable(line)}`),
  ]);
  const end = problems === 0 ? 'nothing is wrong' : `${problems} ${problems === 1 ? 'problem' : 'problems'}`;
  return [...lines, '', end];
}
