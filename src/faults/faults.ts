/**
 * Faults that somebody has asked for, to see what their clients do about it: in DNS by name, in the API by operation.
 * What is in force is kept here and told to the answering threads; it ends in time, by hand, or with a reset.
 */
import { createRandom, type Random } from '../answers/selection.ts';
import type { InjectedFault } from '../answers/thread-protocol.ts';
import { toWireName } from '../wire/names.ts';
import { type ApiFault, type DnsFault, parseFault, typeCode } from './fault-forms.ts';

/** One that was asked for, with when it ends: epoch ms, null: not by itself. */
export type Fault = { readonly id: string; readonly until: number | null } & (
  | { readonly dns: DnsFault; readonly api?: undefined }
  | { readonly api: ApiFault; readonly dns?: undefined }
);

/** Faults are not allowed here; the message names the setting. */
export class FaultsOffError extends Error {
  override readonly name = 'FaultsOffError';

  constructor() {
    super('no faults are injected here: CLOUDMAPD_FAULTS is false');
  }
}

/** What a fault cannot be like; the message says what part of it. */
export class FaultError extends Error {
  override readonly name = 'FaultError';
}

/** What becomes of a call: it waits where it has to, and then fails, or is carried out (null). */
export interface Disturbance {
  readonly outcome: 'throttle' | 'fail' | null;
  wait(): Promise<void>;
}

export interface FaultsOptions {
  /** CLOUDMAPD_FAULTS. */
  readonly isOn: boolean;
  /** Names of the API's operations. */
  readonly operations: ReadonlySet<string>;
  /** Epoch ms. */
  readonly clock: () => number;
  /** Of the generator that decides whom a part of all is. */
  readonly seed: number;
  /** Resolves when the answering threads act by these alone. */
  tell(faults: readonly InjectedFault[]): Promise<void>;
}

const MAX_FAULTS = 1000;

export class Faults {
  readonly #options: FaultsOptions;
  #random: Random;
  readonly #faults = new Map<string, Fault>();
  #lastId = 0;
  #endTimer: NodeJS.Timeout | undefined;
  /** Calls that wait: what lets each go on, and the faults that it waits for. */
  readonly #held = new Map<() => void, Set<string>>();
  #isClosed = false;

  constructor(options: FaultsOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
  }

  /** @returns those in force, oldest first; @throws FaultsOffError */
  list(): Fault[] {
    this.#requireOn();
    return this.inForce();
  }

  /** Oldest first; none where they are off. */
  inForce(): Fault[] {
    const now = this.#options.clock();
    return [...this.#faults.values()].filter((fault) => isInForce(fault, now));
  }

  /** What a query meets, in words, and when that ends (ISO 8601; null: not by itself). @see findDnsFaults */
  met(name: string, type: string): { fault: string; until: string | null }[] {
    return findDnsFaults(this.inForce(), name, type, this.#options.clock()).flatMap(({ dns, until }) =>
      dns === undefined ? [] : [{ fault: describeDnsFault(dns), until: timeOf(until) }],
    );
  }

  /** What calls of the API meet, as `met` has it. */
  metByCalls(): { fault: string; until: string | null }[] {
    return this.inForce().flatMap(({ api, until }) =>
      api === undefined ? [] : [{ fault: describeApiFault(api), until: timeOf(until) }],
    );
  }

  /**
   * @param input `{"dns": {...}}` or `{"api": {...}}`, perhaps with `forSeconds`
   * @returns its id, when it is in force; @throws FaultsOffError, FaultError
   */
  async add(input: unknown): Promise<string> {
    this.#requireOn();
    if (this.#isClosed) throw new FaultError('the daemon is stopping');
    const parsed = parseFault(input, this.#options.operations);
    if (typeof parsed === 'string') throw new FaultError(parsed);
    if (this.#faults.size >= MAX_FAULTS) throw new FaultError(`${MAX_FAULTS} faults are in force: clear some first`);
    const { forSeconds, ...fault } = parsed;
    const id = `fault-${++this.#lastId}`;
    const until = forSeconds === null ? null : this.#options.clock() + Math.round(forSeconds * 1000);
    this.#faults.set(id, { id, until, ...fault } as Fault);
    await this.#changed('dns' in fault);
    return id;
  }

  /** @returns whether it was in force; @throws FaultsOffError */
  async remove(id: string): Promise<boolean> {
    this.#requireOn();
    const fault = this.#faults.get(id);
    if (fault === undefined) return false;
    this.#faults.delete(id);
    this.#letGo(id);
    await this.#changed(fault.dns !== undefined);
    return isInForce(fault, this.#options.clock());
  }

  /** Ends all, lets calls that wait go on, and begins the sequence of chances anew. @returns how many there were */
  async clear(): Promise<number> {
    const count = this.#faults.size;
    this.#faults.clear();
    this.#random = createRandom(this.#options.seed);
    for (const release of [...this.#held.keys()]) release();
    if (count > 0) await this.#changed(true);
    return count;
  }

  /** What becomes of a call of the operation that has just come; null: nothing out of the ordinary. */
  disturb(operation: string): Disturbance | null {
    if (this.#faults.size === 0) return null;
    const now = this.#options.clock();
    let delayMs = 0;
    const delays = new Set<string>();
    let outcome: Disturbance['outcome'] = null;
    for (const fault of this.#faults.values()) {
      const { api } = fault;
      if (api === undefined || !isInForce(fault, now)) continue;
      if (api.operation !== '*' && api.operation !== operation) continue;
      if (api.percent < 100 && this.#random(100) >= api.percent) continue;
      if (api.fault === 'delay') {
        delayMs = Math.max(delayMs, api.delayMs);
        delays.add(fault.id);
      } else outcome = outcome === 'fail' ? outcome : api.fault;
    }
    if (delayMs === 0 && outcome === null) return null;
    return { outcome, wait: () => (delayMs === 0 ? Promise.resolve() : this.#hold(delayMs, delays)) };
  }

  /** Lets calls that wait go on; nothing is told to the threads any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#endTimer);
    this.#faults.clear();
    for (const release of [...this.#held.keys()]) release();
  }

  /** Calls that no other delay holds up go on. */
  #letGo(id: string): void {
    for (const [release, ids] of [...this.#held]) if (ids.delete(id) && ids.size === 0) release();
  }

  #requireOn(): void {
    if (!this.#options.isOn) throw new FaultsOffError();
  }

  #hold(delayMs: number, ids: Set<string>): Promise<void> {
    return new Promise((resolve) => {
      const release = (): void => {
        clearTimeout(timer);
        this.#held.delete(release);
        resolve();
      };
      const timer = setTimeout(release, delayMs);
      this.#held.set(release, ids);
    });
  }

  async #changed(isDns: boolean): Promise<void> {
    clearTimeout(this.#endTimer);
    const ends = [...this.#faults.values()].flatMap(({ until }) => until ?? []);
    if (ends.length > 0) {
      const waitMs = Math.max(0, Math.min(...ends) - this.#options.clock());
      this.#endTimer = setTimeout(() => this.#dropEnded(), waitMs).unref();
    }
    if (isDns) await this.#options.tell([...this.#faults.values()].flatMap(injected));
  }

  /** The threads know the times too: this is for a query to cost nothing more once all have ended. */
  #dropEnded(): void {
    const now = this.#options.clock();
    for (const [id, fault] of this.#faults) {
      if (isInForce(fault, now)) continue;
      this.#faults.delete(id);
      this.#letGo(id);
    }
    void this.#changed(true);
  }
}

/**
 * The faults that a query for the name and type would meet, of those given: for whoever explains an answer.
 * @param faults what `Faults.inForce` gives
 * @param name as text, in any case, with or without its ending dot
 * @param type such as `A`, `TYPE65` or its number
 * @param now epoch ms
 */
export function findDnsFaults(faults: readonly Fault[], name: string, type: string | number, now: number): Fault[] {
  const asked = plainName(name);
  const code = typeof type === 'number' ? type : typeCode(type);
  return faults.filter((fault) => {
    const { dns } = fault;
    if (dns === undefined || !isInForce(fault, now)) return false;
    if (dns.type !== null && typeCode(dns.type) !== code) return false;
    const own = plainName(dns.name);
    return asked === own || (dns.below && (own === '' || asked.endsWith(`.${own}`)));
  });
}

/** In a few words, such as `SERVFAIL` or `a delay of 200 ms, for 30 of 100 queries`. */
export function describeDnsFault({ fault, delayMs, percent }: DnsFault): string {
  const what = {
    servfail: 'SERVFAIL',
    drop: 'no reply',
    truncate: 'TC over UDP',
    delay: `a delay of ${delayMs} ms`,
  }[fault];
  return percent === 100 ? what : `${what}, for ${percent} of 100 queries`;
}

/** Such as `RegisterInstance gets InternalFailure` or `every call waits 200 ms, for 30 of 100 calls`. */
function describeApiFault({ operation, fault, delayMs, percent }: ApiFault): string {
  const what = { throttle: 'gets RequestLimitExceeded', fail: 'gets InternalFailure', delay: `waits ${delayMs} ms` };
  const text = `${operation === '*' ? 'every call' : operation} ${what[fault]}`;
  return percent === 100 ? text : `${text}, for ${percent} of 100 calls`;
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

function isInForce({ until }: Fault, now: number): boolean {
  return until === null || now < until;
}

function injected({ id, dns, until }: Fault): InjectedFault[] {
  if (dns === undefined) return [];
  const { name, type, below, fault, delayMs, percent } = dns;
  const typeNumber = type === null ? null : typeCode(type);
  return [
    { id, name: toWireName(name), type: typeNumber, isBelow: below, kind: fault, delayMs, percent, untilMs: until },
  ];
}
