/** Numbers, lists and spans of time in sentences. */

const UNITS = [
  ['day', 86_400],
  ['h', 3600],
  ['min', 60],
] as const;

/** `1 record`, `3 records`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(names: readonly string[], word: 'and' | 'or'): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} ${word} ${names.at(-1)}`;
}

/** `40 s`, `5 min`, `3 h`, `2 days`: in the largest unit of which there are two. @param ms less than none is none */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  for (const [unit, length] of UNITS) {
    if (seconds >= 2 * length)
      return unit === 'day' ? counted(Math.floor(seconds / length), unit) : `${Math.floor(seconds / length)} ${unit}`;
  }
  return `${seconds} s`;
}
