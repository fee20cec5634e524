/** A reply as dig prints it (BIND 9.18), from `;; ->>HEADER<<-` to the last record. */
import type { TextMessage, TextQuestion, TextRecord } from './presentation.ts';

/** Columns at which dig's fields begin, with tabs of eight. */
const [TTL_AT, CLASS_AT, TYPE_AT, RDATA_AT] = [24, 32, 40, 48] as const;
const TAB = 8;

/** RFC 8914 s4 and the registry's later entries, as dig calls them. */
const EXTENDED_ERRORS: readonly string[] = [
  ...['Other', 'Unsupported DNSKEY Algorithm', 'Unsupported DS Digest Type', 'Stale Answer', 'Forged Answer'],
  ...['DNSSEC Indeterminate', 'DNSSEC Bogus', 'Signature Expired', 'Signature Not Yet Valid', 'DNSKEY Missing'],
  ...['RRSIGs Missing', 'No Zone Key Bit Set', 'NSEC Missing', 'Cached Error', 'Not Ready', 'Blocked', 'Censored'],
  ...['Filtered', 'Prohibited', 'Stale NXDOMAIN Answer', 'Not Authoritative', 'Not Supported'],
  ...['No Reachable Authority', 'Network Error', 'Invalid Data'],
];

export function extendedErrorName(code: number): string | null {
  return EXTENDED_ERRORS[code] ?? null;
}

/** Lines with a line feed behind each, and nothing in them that a terminal would obey. */
export function digText(message: TextMessage): string {
  const { questions, answer, authority, additional, opt, flags } = message;
  const counts = [
    `QUERY: ${questions.length}`,
    `ANSWER: ${answer.length}`,
    `AUTHORITY: ${authority.length}`,
    `ADDITIONAL: ${additional.length + (opt === null ? 0 : 1)}`,
  ];
  const lines = [
    `;; ->>HEADER<<- opcode: ${message.opcode}, status: ${message.rcode}, id: ${message.id}`,
    `;; flags: ${flags.join(' ')}; ${counts.join(', ')}`,
  ];
  if (flags.includes('rd') && !flags.includes('ra')) lines.push(';; WARNING: recursion requested but not available');
  lines.push('');
  if (opt !== null) {
    lines.push(';; OPT PSEUDOSECTION:');
    lines.push(`; EDNS: version: ${opt.version}, flags:${opt.dnssecOk ? ' do' : ''}; udp: ${opt.payloadBytes}`);
    for (const { code, text } of opt.errors) {
      const name = extendedErrorName(code);
      lines.push(`; EDE: ${code}${name === null ? '' : ` (${name})`}${text === '' ? '' : `: (${plain(text)})`}`);
    }
  }
  if (questions.length > 0) lines.push(';; QUESTION SECTION:', ...questions.map((one) => `;${questionLine(one)}`), '');
  for (const [title, records] of [
    ['ANSWER', answer],
    ['AUTHORITY', authority],
    ['ADDITIONAL', additional],
  ] as const) {
    if (records.length > 0) lines.push(`;; ${title} SECTION:`, ...records.map(recordLine), '');
  }
  return lines.map((line) => `${line}\n`).join('');
}

function questionLine({ name, class: qclass, type }: TextQuestion): string {
  return columns([
    [0, name],
    [CLASS_AT, qclass],
    [TYPE_AT, type],
  ]);
}

function recordLine({ name, ttl, class: qclass, type, rdata }: TextRecord): string {
  return columns([
    [0, name],
    [TTL_AT, String(ttl)],
    [CLASS_AT, qclass],
    [TYPE_AT, type],
    [RDATA_AT, rdata],
  ]);
}

/** Each field at its column, or one octet behind the one before: tabs as far as they lead, then spaces. */
function columns(fields: readonly (readonly [number, string])[]): string {
  let line = '';
  let column = 0;
  for (const [wanted, text] of fields) {
    const to = column === 0 ? 0 : Math.max(wanted, column + 1);
    const tabs = Math.floor(to / TAB) - Math.floor(column / TAB);
    if (tabs > 0) {
      line += '\t'.repeat(tabs);
      column = Math.floor(to / TAB) * TAB;
    }
    line += ' '.repeat(to - column) + text;
    column = to + text.length;
  }
  return line;
}

/** Of an upstream's text. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '.');
}
