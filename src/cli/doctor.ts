/** `cloudmapd doctor`: what keeps names from resolving, each with the exact line that mends it. */
import { type AskFlags, endpointOf } from './api-client.ts';
import { printable } from './command.ts';
import { gatherFacts } from './doctor-facts.ts';
import { type Finding, findingsOf, serverOf } from './doctor-findings.ts';
import { EXIT_FAILURE } from './exit-codes.ts';
import { SETUPS, setupLines } from './name-setups.ts';
import { writeResult } from './result.ts';
import type { Paint, Style } from './table.ts';

export interface DoctorFlags extends AskFlags {
  /** Settings of a daemon that is yet to start. */
  readonly config?: string;
}

/** Exit code 1 where something is wrong. */
export async function doctor(flags: DoctorFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const facts = await gatherFacts(endpointOf(flags, env), flags.config, env);
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
