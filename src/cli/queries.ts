/** `cloudmapd queries`: DNS queries as they are answered. */
import { styleText } from 'node:util';
import type { QueryLine } from '../admin/query-line.ts';
import { CommandError, printable } from './command.ts';
import { ask, askInfo, lost, parseEndpoint, readProblem } from './daemon-client.ts';
import { writeOutput } from './output.ts';
import { DEFAULT_ENDPOINT } from './target.ts';

export interface QueriesFlags {
  readonly endpoint?: string;
  readonly name?: string;
  readonly client?: string;
  readonly json?: boolean;
}

type Line = QueryLine | { readonly leftOut: number };

/** Room for an IPv4 address, and for names of a common length; what is longer moves the rest of its line. */
const CLIENT_WIDTH = 15;
const QUESTION_WIDTH = 36;
const RCODE_WIDTH = 8;
const OUTCOME_WIDTH = 8;
const TIME_WIDTH = 9;

export async function queries(flags: QueriesFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const given = flags.endpoint ?? (env.CLOUDMAPD_ENDPOINT || DEFAULT_ENDPOINT);
  const endpoint = parseEndpoint(given, flags.endpoint === undefined ? 'CLOUDMAPD_ENDPOINT' : '--endpoint');
  const info = await askInfo(endpoint);
  if (typeof info === 'string') throw new CommandError(`no cloudmapd answers at ${given}: ${info}`);
  const { name, client } = flags;
  const filter = new URLSearchParams({ ...(name !== undefined && { name }), ...(client !== undefined && { client }) });
  const lines = readLines(endpoint, `/admin/queries?${filter}`);
  await writeOutput(null, flags.json ? lines : forPeople(lines), 0);
}

/** Until the daemon ends, which is told as a failure: whoever looks on wants to know that there is no more. */
async function* readLines(endpoint: URL, path: string): AsyncGenerator<string> {
  const response = await ask(endpoint, 'GET', path);
  if (response.statusCode !== 200) {
    const { error } = await readProblem(endpoint, response);
    throw new CommandError(`the daemon at ${endpoint.href} says: ${error}`);
  }
  // Whoever waits for the first query sees that this does too.
  if (process.stderr.isTTY) process.stderr.write('DNS queries from now on; Ctrl-C ends it\n');
  response.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of response) {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) yield `${part}\n`;
    }
  } catch (error) {
    throw lost(endpoint, error);
  } finally {
    response.destroy();
  }
  throw new CommandError(`the daemon at ${endpoint.href} has stopped`);
}

async function* forPeople(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${lineForPeople(JSON.parse(line))}\n`;
}

/** `styleText` leaves colours out where stdout is no terminal, or NO_COLOR says so. */
function lineForPeople(line: Line): string {
  if ('leftOut' in line) return styleText('yellow', `${line.leftOut} queries are left out: they were too many at once`);
  const { at, client, transport, name, type, rcode, outcome, answers, microseconds } = line;
  const question = name === null ? '(no question)' : `${name} ${type}`;
  const isGood = rcode === 'NOERROR' || rcode === 'NXDOMAIN';
  return [
    styleText('dim', timeOf(at)),
    printable(client).padEnd(CLIENT_WIDTH),
    transport,
    printable(question).padEnd(QUESTION_WIDTH),
    styleText(isGood ? 'green' : 'red', (rcode ?? 'no reply').padEnd(RCODE_WIDTH)),
    outcome.padEnd(OUTCOME_WIDTH),
    `${Math.round(microseconds)} µs`.padStart(TIME_WIDTH),
    printable(answers.join(', ')),
  ]
    .join('  ')
    .trimEnd();
}

/** Of the day here, as a log has it. */
function timeOf(at: string): string {
  const time = new Date(at);
  const pad = (number: number, length = 2): string => String(number).padStart(length, '0');
  return `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}.${pad(time.getMilliseconds(), 3)}`;
}
