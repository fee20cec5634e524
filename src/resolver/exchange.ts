/**
 * One question put to the upstreams of a rule until one gives an answer, or time is up.
 *
 * In outline: the fastest is asked over UDP. Where it replies with something of no use (an RCODE such as SERVFAIL, a
 * broken message), cannot be reached, or takes longer than it usually does, the next is asked; one that is only slow
 * is listened to on. When all have been asked and some stayed silent, those are asked again. A truncated reply is
 * asked for over TCP, as is one whose question came back in other case, or among what looks like forged ones.
 */
import { readU16 } from '../wire/bytes.ts';
import { FLAG, HEADER_BYTES, RCODE } from '../wire/header.ts';
import { buildQuery, type Question, questionEnd } from './question.ts';
import type { SecureRandom } from './random.ts';
import type { UpstreamError } from './reply.ts';
import { type BadReply, isBad, readReply } from './reply-reader.ts';
import { askOverTcp } from './tcp.ts';
import { MAX_TIMEOUT_MS, type Upstream, type UpstreamGroup } from './upstreams.ts';

/** A client's resolver mostly gives up after five seconds, Docker's after four. */
export const EXCHANGE_TIMEOUT_MS = 3500;
const TCP_TIMEOUT_MS = 1000;
/** A timer may come so early. */
const TIMER_MS = 2;
const HEADER_ALONE: BadReply = { rcode: RCODE.FORMERR, error: null, hasOpt: false };

export interface Failure {
  /** The RCODE that an upstream gave last; null: none gave any in time. */
  readonly rcode: number | null;
  /** What that upstream said of it. */
  readonly error: UpstreamError | null;
  /** No upstream may be asked: all lead back here. */
  readonly isLoop: boolean;
}

/** A reply as a block that `Reply` reads, or that there is none. */
export type ExchangeResult = Uint8Array | Failure;

export function isFailure(result: ExchangeResult): result is Failure {
  return 'isLoop' in result;
}

interface Attempt {
  readonly upstream: Upstream;
  /** See Upstream.asked. */
  readonly era: number;
  readonly startedAtMs: number;
  /** How long it is waited for before another is asked beside it. */
  readonly timeoutMs: number;
  /** It was known to be down when it was asked. */
  readonly wasDown: boolean;
  /** Its time is over, but a reply would still do. */
  isLate: boolean;
  takeBack: () => void;
}

export class Exchange {
  readonly question: Question;
  /** What was sent, to know it again should it come back to us. */
  readonly queries: Uint8Array[] = [];
  readonly #random: SecureRandom;
  readonly #onDone: (result: ExchangeResult) => void;
  readonly #questionEnd: number;
  readonly #deadlineMs: number;
  readonly #attempts: Attempt[] = [];
  #order: readonly Upstream[];
  #next = 0;
  /** Each round waits twice as long as the one before. */
  #round = 0;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #failure: Failure = { rcode: null, error: null, isLoop: false };
  #hasFailed = false;
  #isDone = false;

  /** @param onDone called once, never before this returns */
  constructor(
    question: Question,
    group: UpstreamGroup,
    random: SecureRandom,
    onDone: (result: ExchangeResult) => void,
  ) {
    this.question = question;
    this.#random = random;
    this.#onDone = onDone;
    this.#questionEnd = questionEnd(question);
    // Not the clock of the day, which may be set while a client waits.
    const nowMs = performance.now();
    this.#deadlineMs = nowMs + EXCHANGE_TIMEOUT_MS;
    const { order, atOnce } = group.plan(nowMs);
    this.#order = order;
    if (order.length === 0) {
      const isLoop = group.upstreams.length > 0;
      process.nextTick(() => this.#finish({ rcode: null, error: null, isLoop }));
      return;
    }
    for (let i = 0; i < atOnce; i++) this.#ask(order[this.#next++] as Upstream, nowMs, false);
    this.#wait(nowMs);
  }

  close(): void {
    this.#isDone = true;
    this.#stopTimer();
    for (const { takeBack } of this.#attempts) takeBack();
  }

  /** Whoever was asked beside the one that answered is listened to for a while, to learn whether and how fast it is. */
  #listenOn(attempt: Attempt): void {
    const { upstream, era, takeBack } = attempt;
    setTimeout(() => {
      if (!this.#attempts.includes(attempt)) return;
      upstream.failed(performance.now(), era);
      takeBack();
    }, attempt.timeoutMs).unref();
  }

  #ask(upstream: Upstream, nowMs: number, overTcp: boolean): void {
    const timeoutMs = overTcp ? TCP_TIMEOUT_MS : Math.min(MAX_TIMEOUT_MS, upstream.timeoutMs * 2 ** this.#round);
    const attempt: Attempt = {
      upstream,
      era: upstream.asked(),
      startedAtMs: nowMs,
      timeoutMs,
      wasDown: upstream.isDown,
      isLate: false,
      takeBack: () => undefined,
    };
    this.#attempts.push(attempt);
    const query = buildQuery(this.question, this.#random, upstream.hasEdns(nowMs), upstream.keepsCase(nowMs));
    this.queries.push(query);
    if (overTcp) {
      attempt.takeBack = askOverTcp(
        upstream.address,
        upstream.port,
        query,
        this.#questionEnd,
        (message) => this.#receive(attempt, message, query),
        () => this.#fail(attempt, null),
      );
      return;
    }
    attempt.takeBack = upstream.sockets.send({
      query,
      questionEnd: this.#questionEnd,
      onReply: (message) => {
        if ((readU16(message, 2) & FLAG.TC) === 0) this.#receive(attempt, message, null);
        else this.#askOverTcp(attempt);
      },
      onOtherCase: () => this.#askOverTcp(attempt),
      onForgery: () => this.#askOverTcp(attempt),
      onError: () => this.#fail(attempt, null),
    });
  }

  #askOverTcp(attempt: Attempt): void {
    this.#remove(attempt);
    if (this.#isDone) return;
    this.#ask(attempt.upstream, performance.now(), true);
    this.#wait(performance.now());
  }

  /** @param tcpQuery what it is a reply to, where it came over TCP */
  #receive(attempt: Attempt, message: Uint8Array, tcpQuery: Uint8Array | null): void {
    const { upstream, era } = attempt;
    if (this.#isDone) {
      this.#remove(attempt);
      if (tcpQuery === null && isUseful(message)) upstream.succeeded(performance.now() - attempt.startedAtMs, era);
      return;
    }
    // Over TCP there is nothing to ask for the rest over, and a part is no answer.
    if (tcpQuery !== null && (readU16(message, 2) & FLAG.TC) !== 0) {
      this.#fail(attempt, null);
      return;
    }
    // A server that does not know EDNS may send its FORMERR as a header alone.
    const isHeader = readU16(message, 4) === 0;
    const reply = isHeader ? HEADER_ALONE : readReply(message, this.#questionEnd, this.question.type);
    if (isBad(reply)) {
      this.#refused(attempt, reply);
      return;
    }
    if (tcpQuery === null) upstream.succeeded(performance.now() - attempt.startedAtMs, era);
    // Seen where nobody can forge: it folds case, so over UDP its replies would never match.
    else upstream.answeredOverTcp(performance.now(), echoes(message, tcpQuery, this.#questionEnd), era);
    this.#finish(reply, attempt);
  }

  #refused(attempt: Attempt, reply: BadReply): void {
    const { upstream, era } = attempt;
    const nowMs = performance.now();
    const isForEdns = reply.rcode === RCODE.FORMERR || reply.rcode === RCODE.NOTIMP;
    if (isForEdns && !reply.hasOpt && upstream.hasEdns(nowMs)) {
      upstream.lacksEdns(nowMs, era);
      this.#remove(attempt);
      this.#ask(upstream, nowMs, false);
      this.#wait(nowMs);
      return;
    }
    this.#fail(attempt, reply);
  }

  #fail(attempt: Attempt, reply: BadReply | null): void {
    if (this.#isDone) return;
    this.#remove(attempt);
    const nowMs = performance.now();
    // An RCODE may be for this name alone, and so may records that cannot be read.
    if (reply === null) attempt.upstream.failed(nowMs, attempt.era);
    else attempt.upstream.refused(nowMs, attempt.era);
    this.#hasFailed = true;
    if (reply !== null && reply.rcode !== null) this.#failure = { ...reply, isLoop: false };
    if (this.#attempts.some(({ isLate, wasDown }) => !isLate && !(wasDown && this.#hasSaid))) return;
    this.#goOn(nowMs);
  }

  /** The time of the attempts under way is over. */
  #onTimeout(): void {
    const nowMs = performance.now();
    for (const attempt of this.#attempts) {
      // One that has just begun is cut short by the deadline, and has not failed.
      if (attempt.isLate || nowMs < attempt.startedAtMs + attempt.timeoutMs - TIMER_MS) continue;
      attempt.isLate = true;
      attempt.upstream.failed(nowMs, attempt.era);
    }
    this.#goOn(nowMs);
  }

  /** Nothing is being waited for, besides late replies. */
  #goOn(nowMs: number): void {
    if (nowMs >= this.#deadlineMs) {
      this.#finish(this.#failure);
      return;
    }
    const next = this.#order[this.#next];
    // A live one has spoken; of one that is known to be down nobody waits to hear the same.
    if (next?.isDown && this.#hasSaid) {
      this.#finish(this.#failure);
      return;
    }
    if (next === undefined) {
      // Every one has had its time, and one has said that it cannot. Who is silent gets one more round: it may be no
      // more than slow, and its time not known yet.
      const silent = this.#attempts.filter(({ wasDown }) => !(wasDown && this.#hasSaid));
      if (this.#hasFailed && (silent.length === 0 || this.#round > 0)) {
        this.#finish(this.#failure);
        return;
      }
      this.#order = [...new Set(silent.map(({ upstream }) => upstream))];
      this.#next = 0;
      this.#round++;
      while (this.#next < this.#order.length) this.#ask(this.#order[this.#next++] as Upstream, nowMs, false);
    } else {
      this.#next++;
      this.#ask(next, nowMs, false);
    }
    this.#wait(nowMs);
  }

  /** Sets the timer for the attempts under way. */
  #wait(nowMs: number): void {
    this.#stopTimer();
    let waitMs = 0;
    for (const { isLate, timeoutMs } of this.#attempts) if (!isLate) waitMs = Math.max(waitMs, timeoutMs);
    // It may be this thread that did nothing meanwhile, and the reply lies there to be read.
    const onTimer = (): void => {
      this.#immediate = setImmediate(() => this.#onTimeout());
    };
    this.#timer = setTimeout(onTimer, Math.max(1, Math.min(waitMs, this.#deadlineMs - nowMs)));
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  /** Some upstream has replied, though with nothing of use. */
  get #hasSaid(): boolean {
    return this.#failure.rcode !== null;
  }

  #remove(attempt: Attempt): void {
    const at = this.#attempts.indexOf(attempt);
    if (at >= 0) this.#attempts.splice(at, 1);
  }

  /** @param answered the attempt whose reply it is */
  #finish(result: ExchangeResult, answered: Attempt | null = null): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#stopTimer();
    for (const attempt of this.#attempts) {
      if (attempt.isLate || attempt === answered || isFailure(result)) attempt.takeBack();
      else this.#listenOn(attempt);
    }
    this.#onDone(result);
  }
}

/** Whether the RCODE is that of an answer. */
function isUseful(message: Uint8Array): boolean {
  const rcode = (message[3] as number) & 0xf;
  return rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;
}

function echoes(message: Uint8Array, query: Uint8Array, end: number): boolean {
  for (let i = HEADER_BYTES; i < end; i++) if (message[i] !== query[i]) return false;
  return true;
}
