/**
 * What commands ask of a running daemon, as curl could: calls of the public API (AWS JSON 1.1, without an SDK and
 * unsigned), and requests to `/admin`.
 */
import type { IncomingMessage } from 'node:http';
import { CommandError } from './command.ts';
import {
  NO_JSON,
  NOT_OURS,
  nameOf,
  readText,
  send,
  somethingElse,
  type UnreachableError,
  unreachable,
} from './daemon-client.ts';
import { linesOf } from './lines.ts';
import { DEFAULT_ENDPOINT, givenEndpoint } from './target.ts';

/** Flags of every command that asks a running daemon. */
export interface AskFlags {
  readonly endpoint?: string;
  readonly json?: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The one that is given, by flag or by CLOUDMAPD_ENDPOINT, or the default one. @throws UsageError */
export function endpointOf(flags: AskFlags, env: Env): URL {
  return givenEndpoint(flags, env)?.endpoint ?? new URL(DEFAULT_ENDPOINT);
}

/** The daemon has answered, and refused. */
export class RefusedError extends CommandError {
  /** Of the API's errors its name, such as `ServiceNotFound`; else the status. */
  readonly code: string;
  /** What the daemon says, without the operation and the code. */
  readonly reason: string;
  /** What is no valid input never will be, whatever is registered: it was typed so. */
  override readonly isUsage: boolean;

  constructor(asked: string, code: string, reason: string) {
    // The reason of a bad request names the parameter: where that was asked says nothing to whoever typed it.
    const place = code === BAD_REQUEST ? '' : /^\d+$/.test(code) ? `${asked}: ` : `${asked}: ${code}: `;
    super(place + reason);
    this.code = code;
    this.reason = reason;
    this.isUsage = code === BAD_REQUEST || code === 'InvalidInput';
  }
}

const BAD_REQUEST = '400';
const NOT_FOUND = 404;

const TARGET_PREFIX = 'Route53AutoNaming_v20170314.';
/** Whatever speaks the API names each answer so, as AWS does. */
const REQUEST_ID = 'x-amzn-requestid';
const CONTENT_TYPE = 'application/x-amz-json-1.1';
/** As long as the AWS CLI waits: a disk may be slow, and a port may be another's, who never answers. */
const TIMEOUT_MS = 60_000;

export class ApiClient {
  readonly endpoint: URL;
  /** For messages. */
  readonly name: string;
  readonly #signal: AbortSignal | null;
  readonly #timeoutMs: number;

  /**
   * @param signal ends what is under way, which then fails as with a daemon that does not answer
   * @param timeoutMs of each request
   */
  constructor(endpoint: URL, signal: AbortSignal | null = null, timeoutMs = TIMEOUT_MS) {
    this.endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.name = nameOf(endpoint);
    this.#signal = signal;
  }

  /** @returns what the operation answers @throws RefusedError, UnreachableError */
  async call<T>(operation: string, input: object = {}): Promise<T> {
    const headers = { 'x-amz-target': TARGET_PREFIX + operation, 'content-type': CONTENT_TYPE };
    const { status, body, isApi } = await this.#ask('POST', '/', input, headers);
    if (status === 200 && isApi) return body as T;
    // Any cloudmapd names its errors so.
    if (typeof body.__type !== 'string') throw this.#isAnother(`${status} is answered to ${operation}`);
    throw new RefusedError(operation, body.__type, sentenceOf(body.Message ?? body.message));
  }

  /**
   * All pages of a list.
   * @param member the one that the items are in, such as `Namespaces`
   * @throws RefusedError, UnreachableError
   */
  async list<T>(operation: string, member: string, input: object = {}): Promise<T[]> {
    const items: T[] = [];
    for await (const page of this.pages(operation, input)) {
      for (const item of page[member] as readonly T[]) items.push(item);
    }
    return items;
  }

  /** The answers of all pages, one after the other. @throws RefusedError, UnreachableError */
  async *pages(operation: string, input: object = {}): AsyncGenerator<Record<string, unknown>> {
    let next: unknown;
    do {
      const page: Record<string, unknown> = await this.call(operation, { ...input, NextToken: next });
      yield page;
      next = page.NextToken;
    } while (next !== undefined);
  }

  /**
   * @param path such as `/admin/flush`, with its query
   * @param member one that every answer has
   * @param body JSON; null: none
   * @returns the JSON that is answered with 200 @throws RefusedError, UnreachableError
   */
  async admin<T>(method: 'GET' | 'POST', path: string, member: keyof T & string, body: object | null = null) {
    const { status, body: answer } = await this.#ask(method, path, body, {});
    if (status !== 200) throw this.#refusal(path, status, answer);
    if (!Object.hasOwn(answer, member)) throw this.#isAnother(NOT_OURS);
    return answer as T;
  }

  /**
   * Of an answer that goes on: from when this resolves on nothing is missed.
   * @param path with its query
   * @returns lines; at their end they throw a CommandError, as they have none but the daemon's
   * @throws RefusedError, UnreachableError
   */
  async lines(path: string): Promise<AsyncGenerator<string>> {
    const tooLong = new AbortController();
    // Of the head: there may be nothing to tell for days.
    const timer = setTimeout(() => tooLong.abort(), this.#timeoutMs);
    let response: IncomingMessage;
    let problem = '';
    try {
      response = await send(this.endpoint, 'GET', path, null, tooLong.signal);
      if (!isLines(response)) problem = await readText(response);
    } catch (cause) {
      throw this.#unreachable(cause, tooLong.signal);
    } finally {
      clearTimeout(timer);
    }
    if (response.statusCode === 200 && isLines(response)) return this.#told(response);
    throw this.#refusal(path, response.statusCode, this.#parse(problem));
  }

  async *#told(response: IncomingMessage): AsyncGenerator<string> {
    let last = '';
    try {
      for await (const line of linesOf(response)) {
        yield line;
        last = line;
      }
    } catch (cause) {
      const { message, code } = cause as NodeJS.ErrnoException;
      throw this.#endOfLines(message || code || 'it has gone', cause);
    } finally {
      response.destroy();
    }
    // It says so where it cuts off whoever reads too slowly.
    const { event, reason } = last === '' ? {} : this.#parse(last);
    throw this.#endOfLines(event === 'cut-off' ? String(reason) : 'it has stopped');
  }

  #endOfLines(why: string, cause?: unknown): CommandError {
    return new CommandError(`the daemon at ${this.name} tells no more: ${why}`, { cause });
  }

  #refusal(path: string, status: number | undefined, answer: Readonly<Record<string, unknown>>): CommandError {
    const asked = path.replace(/\?.*/, '');
    const reason = answer.error ?? answer.reason ?? answer.Message;
    // A cloudmapd has what is asked for here.
    const isOurs = typeof reason === 'string' && status !== 200 && status !== NOT_FOUND;
    if (!isOurs) return this.#isAnother(status === 200 ? NOT_OURS : `${status} is answered to ${asked}`);
    return new RefusedError(asked, String(answer.__type ?? status), sentenceOf(reason));
  }

  async #ask(
    method: string,
    path: string,
    body: object | null,
    headers: Readonly<Record<string, string>>,
  ): Promise<{ status: number | undefined; body: Record<string, unknown>; isApi: boolean }> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const signal = this.#signal === null ? timeout : AbortSignal.any([this.#signal, timeout]);
    let text: string;
    let status: number | undefined;
    let isApi: boolean;
    try {
      const response = await send(this.endpoint, method, path, body && [JSON.stringify(body)], signal, headers);
      status = response.statusCode;
      isApi = response.headers[REQUEST_ID] !== undefined;
      text = await readText(response);
    } catch (cause) {
      throw this.#unreachable(cause, signal);
    }
    return { status, body: this.#parse(text), isApi };
  }

  #parse(text: string): Record<string, unknown> {
    try {
      const value = JSON.parse(text);
      if (typeof value === 'object' && value !== null) return value;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw this.#isAnother(NO_JSON);
  }

  #unreachable(cause: unknown, signal: AbortSignal): UnreachableError {
    const { message, code, name } = cause as NodeJS.ErrnoException;
    return unreachable(this.endpoint, signal.aborted ? 'it does not answer' : message || (code ?? name), cause);
  }

  #isAnother(sign: string): UnreachableError {
    return unreachable(this.endpoint, somethingElse(sign));
  }
}

function isLines({ headers }: IncomingMessage): boolean {
  return headers['content-type']?.startsWith(LINES_TYPE) === true;
}

const LINES_TYPE = 'application/x-ndjson';

/** Messages go on in a line of ours. */
function sentenceOf(message: unknown): string {
  return String(message ?? 'no reason is given').replace(/\.$/, '');
}
