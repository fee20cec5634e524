/** Requests to a running daemon, streamed in both directions. */
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Info } from '../admin/info.ts';
import { CommandError, UsageError } from './command.ts';

// An `import` of it makes Node load its WebSocket client, and all of fetch with that.
const { request: httpRequest } = process.getBuiltinModule('node:http');

export type Body = AsyncIterable<string | Uint8Array> | Iterable<string>;

/** Of the question who is there: something else may listen on the port, and never answer. */
const INFO_TIMEOUT_MS = 5000;
/** What is read of an answer that is not expected. */
const MAX_PROBLEM_BYTES = 65_536;

/** @param source of the URL, for the message @throws UsageError */
export function parseEndpoint(text: string, source: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'https:') throw new UsageError(`${source}: "${text}": the daemon is asked over http alone`);
  if (url?.protocol !== 'http:') {
    throw new UsageError(`${source}: "${text}" is no URL such as http://127.0.0.1:8053`);
  }
  return url;
}

export const NO_JSON = 'what is answered is no JSON';
export const NOT_OURS = 'what is answered is nothing that a cloudmapd says';

/** Of a problem: who answers is no cloudmapd. @param sign by which it is told */
export function somethingElse(sign: string): string {
  return `something else answers (${sign})`;
}

/** @returns what there is of the daemon, or why there is none, in a few words */
export async function askInfo(endpoint: URL): Promise<Info | string> {
  try {
    const response = await send(endpoint, 'GET', '/admin/info', null, AbortSignal.timeout(INFO_TIMEOUT_MS));
    const text = await readText(response);
    if (response.statusCode !== 200) {
      const { __type, Message } = parseObject(text) ?? {};
      // A cloudmapd under a name that is not its own refuses so.
      if (typeof __type === 'string') return String(Message ?? __type);
      return somethingElse(`${response.statusCode} is answered to /admin/info`);
    }
    const info = JSON.parse(text);
    return typeof info?.pid === 'number' ? info : somethingElse(NOT_OURS);
  } catch (error) {
    if (error instanceof SyntaxError) return somethingElse(NO_JSON);
    const { name, message, code } = error as NodeJS.ErrnoException;
    return name === 'TimeoutError' || code === 'ABORT_ERR' ? 'it does not answer' : message || (code ?? name);
  }
}

/**
 * @param path with its query
 * @param body sent as it is read; null: none
 * @param headers more of them
 * @returns the response once its head is there; the rest of the body is not sent where it is there before
 * @throws CommandError where the daemon cannot be asked; what reading the body throws
 */
export async function ask(
  endpoint: URL,
  method: 'GET' | 'POST',
  path: string,
  body: Body | null = null,
  headers: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage> {
  try {
    return await send(endpoint, method, path, body, undefined, headers);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw lost(endpoint, error);
  }
}

/** Nobody answers, or nobody that is a cloudmapd. */
export class UnreachableError extends CommandError {}

/** @param problem in a few words */
export function unreachable(endpoint: URL, problem: string, cause?: unknown): UnreachableError {
  return new UnreachableError(`no cloudmapd answers at ${nameOf(endpoint)}: ${problem}`, { cause });
}

/** For messages. */
export function nameOf(endpoint: URL): string {
  return endpoint.href.replace(/\/$/, '');
}

/** The daemon went away, which has answered before. */
export function lost(endpoint: URL, error: unknown): CommandError {
  const { message, code } = error as NodeJS.ErrnoException;
  return new CommandError(`the daemon at ${nameOf(endpoint)} cannot be asked any more: ${message || code}`, {
    cause: error,
  });
}

/** What an answer other than 200 says. @throws CommandError where the daemon goes away meanwhile */
export async function readProblem(endpoint: URL, response: IncomingMessage): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readText(response);
  } catch (error) {
    throw lost(endpoint, error);
  }
  const parsed = parseObject(text);
  const error = parsed?.error ?? parsed?.Message ?? parsed?.message;
  return { ...parsed, error: typeof error === 'string' ? error : `${response.statusCode} is answered` };
}

export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value = text.length > MAX_PROBLEM_BYTES ? null : JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** @param signal ends it, its response included @param more headers @throws what the connection fails with */
export function send(
  endpoint: URL,
  method: string,
  path: string,
  body: Body | null,
  signal?: AbortSignal,
  more: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = new URL(endpoint.pathname.replace(/\/$/, '') + path, endpoint);
    const headers = { ...(body !== null && { 'content-type': 'application/json' }), ...more };
    // No agent: it would keep the connection, and with that the process.
    const request = httpRequest(url, { method, headers, agent: false, ...(signal && { signal }) });
    let isAnswered = false;
    request.once('response', (response) => {
      isAnswered = true;
      // What is left of a body that was refused before its end will not be sent.
      response.once('close', () => request.destroy());
      resolve(response);
    });
    request.on('error', reject);
    sendBody(request, body ?? [], () => isAnswered).catch((error) => {
      request.destroy();
      reject(error);
    });
  });
}

/** Until an answer is there: a connection that is closed at once would lose it. */
async function sendBody(request: ClientRequest, body: Body, isAnswered: () => boolean): Promise<void> {
  for await (const chunk of body) {
    if (isAnswered() || request.destroyed) return;
    if (request.write(chunk)) continue;
    const settled = new AbortController();
    const { signal } = settled;
    // Whichever of these comes; what an error says is told by whoever waits for the answer.
    await Promise.race(['drain', 'response', 'close'].map((event) => once(request, event, { signal }))).catch(
      () => null,
    );
    settled.abort();
  }
  if (!isAnswered()) request.end();
}
