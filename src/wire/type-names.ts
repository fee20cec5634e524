/** Mnemonics of record types, wider than what is synthesised: whatever an upstream may answer. */

/** Types that have a mnemonic here; any other one is `TYPE<n>` (RFC 3597 s5). */
const TYPE_NAMES: Readonly<Record<string, number>> = {
  ...{ A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, HINFO: 13, MX: 15, TXT: 16, RP: 17, AAAA: 28, LOC: 29, SRV: 33 },
  ...{ NAPTR: 35, DNAME: 39, OPT: 41, DS: 43, SSHFP: 44, RRSIG: 46, NSEC: 47, DNSKEY: 48, NSEC3: 50, TLSA: 52 },
  ...{ SVCB: 64, HTTPS: 65, SPF: 99, IXFR: 251, AXFR: 252, ANY: 255, URI: 256, CAA: 257 },
};
const TYPE_BY_CODE = new Map(Object.entries(TYPE_NAMES).map(([name, code]) => [code, name]));

export function typeText(code: number): string {
  return TYPE_BY_CODE.get(code) ?? `TYPE${code}`;
}

/** @param text mnemonic or `TYPE65280`, in any case; @returns null: no type is called that */
export function typeCode(text: string): number | null {
  const name = text.toUpperCase();
  if (Object.hasOwn(TYPE_NAMES, name)) return TYPE_NAMES[name] as number;
  const code = Number(/^TYPE(\d{1,5})$/.exec(name)?.[1] ?? Number.NaN);
  return code <= 0xffff ? code : null;
}
