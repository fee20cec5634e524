/**
 * What commands ask of a running daemon, as curl could: calls of the public API (AWS JSON 1.1, without an SDK and
 * unsigned), and requests to `/admin`.
 */
import { CommandError } from './command.ts';
import { parseEndpoint, readText, send } from './daemon-client.ts';
import { DEFAULT_ENDPOINT } from './target.ts';

/** Flags of every command that asks a running daemon. */
export interface AskFlags {
  readonly endpoint?: string;
  readonly json?: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The one that is given, by flag or by CLOUDMAPD_ENDPOINT, or the default one. @throws UsageError */
export function endpointOf({ endpoint }: AskFlags, env: Env): URL {
  if (endpoint !== undefined) return parseEndpoint(endpoint, '--endpoint');
  return parseEndpoint(env.CLOUDMAPD_ENDPOINT || DEFAULT_ENDPOINT, 'CLOUDMAPD_ENDPOINT');
}

/** The daemon has answered, and refused. */
export class RefusedError extends CommandError {
  /** Of the API's errors its name, such as `ServiceNotFound`; else the status. */
  readonly code: string;
  /** What the daemon says, without the operation and the code. */
  readonly reason: string;

  constructor(asked: string, code: string, reason: string) {
    super(`${asked}: ${/^\d+$/.test(code) ? '' : `${code}: `}${reason}`);
    this.code = code;
    this.reason = reason;
  }
}

/** Nobody answers, or nobody that is a cloudmapd. */
export class UnreachableError extends CommandError {}

const TARGET_PREFIX = 'Route53AutoNaming_v20170314.';
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
    this.name = endpoint.href.replace(/\/$/, '');
    this.#signal = signal;
  }

  /** @returns what the operation answers @throws RefusedError, UnreachableError */
  async call<T>(operation: string, input: object = {}): Promise<T> {
    const headers = { 'x-amz-target': TARGET_PREFIX + operation, 'content-type': CONTENT_TYPE };
    const { status, body } = await this.#ask('POST', '/', input, headers);
    if (status === 200) return body as T;
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
   * @param body JSON; null: none
   * @returns the JSON that is answered with 200 @throws RefusedError, UnreachableError
   */
  async admin<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body: object | null = null): Promise<T> {
    const { status, body: answer } = await this.#ask(method, path, body, {});
    if (status === 200) return answer as T;
    const asked = path.replace(/\?.*/, '');
    const reason = answer.error ?? answer.reason ?? answer.Message;
    if (typeof reason !== 'string') throw this.#isAnother(`${status} is answered to ${asked}`);
    throw new RefusedError(asked, String(answer.__type ?? status), sentenceOf(reason));
  }

  async #ask(
    method: string,
    path: string,
    body: object | null,
    headers: Readonly<Record<string, string>>,
  ): Promise<{ status: number | undefined; body: Record<string, unknown> }> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const signal = this.#signal === null ? timeout : AbortSignal.any([this.#signal, timeout]);
    let text: string;
    let status: number | undefined;
    try {
      const response = await send(this.endpoint, method, path, body && [JSON.stringify(body)], signal, headers);
      status = response.statusCode;
      text = await readText(response);
    } catch (cause) {
      const { message, code, name } = cause as NodeJS.ErrnoException;
      const problem = signal.aborted ? 'it does not answer' : message || (code ?? name);
      throw new UnreachableError(`no cloudmapd answers at ${this.name}: ${problem}`, { cause });
    }
    return { status, body: this.#parse(text) };
  }

  #parse(text: string): Record<string, unknown> {
    try {
      const value = JSON.parse(text);
      if (typeof value === 'object' && value !== null) return value;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw this.#isAnother('what is answered is no JSON');
  }

  #isAnother(problem: string): UnreachableError {
    return new UnreachableError(`no cloudmapd answers at ${this.name}: something else does (${problem})`);
  }
}

/** Messages go on in a line of ours. */
function sentenceOf(message: unknown): string {
  return String(message ?? 'no reason is given').replace(/\.$/, '');
}
