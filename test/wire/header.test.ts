import { describe, expect, it } from 'vitest';
import { RCODE_CODES, TYPE_CODES, typeName } from '../../src/wire/codec.ts';
import { FLAG, RCODE, TYPE } from '../../src/wire/header.ts';

/** dns2 has other names for some types, and does not know IXFR (RFC 1995: 251). */
const NAME_IN_CODEC: Readonly<Record<string, string>> = { OPT: 'EDNS' };
const NOT_IN_CODEC: Readonly<Record<string, number>> = { IXFR: 251 };

describe('codes of the query path', () => {
  it.each(Object.entries(TYPE))('type %s is the one that the codec has', (name, code) => {
    expect(code).toBe(NOT_IN_CODEC[name] ?? TYPE_CODES[NAME_IN_CODEC[name] ?? name]);
  });

  it('leaves out of the comparison only what the codec lacks', () => {
    for (const name of Object.keys(NOT_IN_CODEC)) expect(TYPE_CODES[name]).toBeUndefined();
  });

  it.each(Object.entries(RCODE))('RCODE %s is the one that the codec has', (name, code) => {
    expect(code).toBe(RCODE_CODES[name]);
  });

  it('has flags that do not overlap and leave the RCODE and the reserved bits alone', () => {
    const bits = Object.values(FLAG);
    expect(bits.reduce((sum, flag) => sum + flag, 0)).toBe(bits.reduce((all, flag) => all | flag, 0));
    expect(bits.reduce((all, flag) => all | flag, 0) & 0x000f).toBe(0);
    expect(bits.reduce((all, flag) => all | flag, 0)).toBe(0xffb0);
  });
});

describe('typeName', () => {
  it.each([
    [1, 'A'],
    [33, 'SRV'],
    [28, 'AAAA'],
    [65_280, 'TYPE65280'],
  ])('%d is %s', (code, expected) => {
    expect(typeName(code)).toBe(expected);
  });
});
