/**
 * Extended DNS errors (RFC 8914): a code and a text in the OPT of a reply, for whoever wonders why it is what it is.
 * Kept as octets in memory laid out once, so that a query allocates nothing.
 */
import { EXTENDED_ERROR } from '../wire/edns.ts';

/** One whose text is always the same. */
export interface FixedError {
  readonly code: number;
  readonly text: Uint8Array;
}

const encoder = new TextEncoder();

function fixed(code: keyof typeof EXTENDED_ERROR, text: string): FixedError {
  return { code: EXTENDED_ERROR[code], text: encoder.encode(text) };
}

export const FIXED_ERRORS = {
  notReady: fixed('notReady', 'the registry is being loaded'),
  notOurs: fixed('notAuthoritative', 'the name is in no namespace here'),
  notForwarded: fixed(
    'notAuthoritative',
    'the name is in no namespace here, and nothing is forwarded (CLOUDMAPD_UPSTREAMS)',
  ),
  clientRefused: fixed(
    'prohibited',
    'names outside the namespaces are not forwarded for this client (CLOUDMAPD_RECURSION_CLIENTS)',
  ),
  upstreamsSilent: fixed('noReachableAuthority', 'no upstream answered in time (CLOUDMAPD_UPSTREAMS)'),
  upstreamsFailed: fixed('noReachableAuthority', 'the upstreams could not answer (CLOUDMAPD_UPSTREAMS)'),
  loop: fixed('noReachableAuthority', 'the upstream leads back to this server'),
  busy: fixed('other', 'too many queries wait for the upstreams'),
  refusedByRule: fixed('blocked', 'the name is refused by a rule (CLOUDMAPD_REFUSE)'),
  specialUse: fixed('other', 'a name for local use is not looked up outside (CLOUDMAPD_SPECIAL_USE_NAMES)'),
  staleAnswer: fixed('staleAnswer', 'no upstream answered, this was the answer before (CLOUDMAPD_UPSTREAMS)'),
  staleNxdomain: fixed('staleNxdomain', 'no upstream answered, this was the answer before (CLOUDMAPD_UPSTREAMS)'),
  fault: fixed('other', 'a fault is injected here (/admin/faults)'),
  tooManyHeld: fixed('other', 'too many queries wait for an injected delay to end (/admin/faults)'),
  class: fixed('notSupported', 'class IN alone is served'),
  transfer: fixed('notSupported', 'zone transfers are not served'),
} as const;

const LAST_HEALTHY = encoder.encode(', last healthy ');
const SECONDS_AGO = encoder.encode(' s ago');
const MAX_TEXT_BYTES = 512;
const ZERO = 0x30;

/** The error of the reply that is being written. */
export class ExtendedError {
  /** INFO-CODE; -1: none. */
  code = -1;
  /** EXTRA-TEXT is `text[0, length)`. */
  readonly text = new Uint8Array(MAX_TEXT_BYTES);
  length = 0;

  clear(): void {
    this.code = -1;
    this.length = 0;
  }

  setFixed(error: FixedError): void {
    this.set(error.code, error.text, 0, error.text.length);
  }

  set(code: number, bytes: Uint8Array, at: number, length: number): void {
    this.code = code;
    this.length = 0;
    this.#append(bytes, at, length);
  }

  /** Adds `, last healthy 40 s ago`. */
  appendAge(seconds: number): void {
    this.#append(LAST_HEALTHY, 0, LAST_HEALTHY.length);
    let digits = 1;
    for (let rest = seconds; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    let rest = seconds;
    for (let i = this.length + digits - 1; i >= this.length; i--) {
      this.text[i] = ZERO + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.length += digits;
    this.#append(SECONDS_AGO, 0, SECONDS_AGO.length);
  }

  #append(bytes: Uint8Array, at: number, length: number): void {
    for (let i = 0; i < length; i++) this.text[this.length + i] = bytes[at + i] as number;
    this.length += length;
  }
}
