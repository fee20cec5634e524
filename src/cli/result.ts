/** What a command found or did, on stdout: for people, or as one JSON document for scripts. */
import { printable } from './command.ts';
import { writeOutput } from './output.ts';
import { type Paint, paintFor } from './table.ts';

/**
 * @param isJson whether `--json` was given
 * @param value the JSON document: nothing else is on stdout then
 * @param lines for people
 */
export async function writeResult(
  isJson: boolean | undefined,
  value: unknown,
  lines: (paint: Paint) => readonly string[],
): Promise<void> {
  const text = isJson ? jsonLine(value) : lines(paintFor(process.stdout, process.env)).join('\n');
  await writeOutput(null, [`${text}\n`], 0);
}

/** On one line; what a terminal would obey is escaped, as JSON may have any character. */
export function jsonLine(value: unknown): string {
  return printable(JSON.stringify(value));
}
