/** One thing that `cloudmapd doctor` has to say. */

export interface Finding {
  /** What was looked at; a key that stays. */
  readonly check:
    | 'daemon'
    | 'ready'
    | 'listener'
    | 'port'
    | 'loop'
    | 'upstream'
    | 'nameserver'
    | 'names'
    | 'data-prefix'
    | 'ipv6';
  /** `note`: nothing is wrong, but it may not be what is wanted. */
  readonly status: 'ok' | 'note' | 'problem';
  /** One line. */
  readonly message: string;
  /** Lines for a shell, or settings; what begins with `#` says which is for what. */
  readonly mend: readonly string[];
}

type Check = Finding['check'];

export const ok = (check: Check, message: string): Finding => ({ check, status: 'ok', message, mend: [] });
export const note = (check: Check, message: string, mend: readonly string[]): Finding => ({
  check,
  status: 'note',
  message,
  mend,
});
export const problem = (check: Check, message: string, mend: readonly string[]): Finding => ({
  check,
  status: 'problem',
  message,
  mend,
});
