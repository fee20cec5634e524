/** `cloudmapd doctor`: what keeps names from resolving, each with the exact line that mends it. */
import { styleText } from 'node:util';
import { printable } from './command.ts';
import { gatherFacts } from './doctor-facts.ts';
import { type Finding, findingsOf, serverOf } from './doctor-findings.ts';
import { type EndpointFlags, endpointOf } from './endpoint.ts';
import { EXIT_FAILURE } from './exit-codes.ts';
import { SETUPS, setupLines } from './name-setups.ts';
import { writeOutput } from './output.ts';

export interface DoctorFlags extends EndpointFlags {
  /** Settings of a daemon that is yet to start. */
  readonly config?: string;
  readonly json?: boolean;
}

/** Exit code 1 where something is wrong. */
export async function doctor(flags: DoctorFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const facts = await gatherFacts(endpointOf(flags, env), flags.config, env);
  const findings = findingsOf(facts);
  const problems = findings.filter(({ status }) => status === 'problem').length;
  if (problems > 0) process.exitCode = EXIT_FAILURE;
  if (flags.json) {
    const names = typeof facts.daemon === 'string' ? [] : (facts.daemon.dns?.zones ?? []);
    const server = typeof facts.daemon === 'string' ? null : serverOf(facts.daemon);
    const setups =
      server === null || names.length === 0
        ? {}
        : Object.fromEntries(SETUPS.map((setup) => [setup, setupLines(setup, { names, server })]));
    return writeOutput(null, [`${JSON.stringify({ problems, findings, setups })}\n`], 0);
  }
  return writeOutput(null, [humanText(findings, problems)], 0);
}

const COLOURS = { ok: 'green', note: 'yellow', problem: 'red' } as const;
const INDENT = ' '.repeat(9);

function humanText(findings: readonly Finding[], problems: number): string {
  const hasColour = process.stdout.isTTY === true;
  const lines = findings.flatMap(({ status, message, mend }) => {
    const word = status.padEnd(INDENT.length);
    const shown = hasColour ? styleText(COLOURS[status], word, { stream: process.stdout }) : word;
    return [`${shown}${printable(message)}`, ...mend.map((line) => `${INDENT}  ${printable(line)}`)];
  });
  const end = problems === 0 ? 'nothing is wrong' : `${problems} ${problems === 1 ? 'problem' : 'problems'}`;
  return `${[...lines, '', end].join('\n')}\n`;
}
