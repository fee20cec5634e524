/** Which DNS queries whoever looks on wants to see: what nothing can match is told, not waited for. */
import { isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';
import { NameError, toTextName, toWireName } from '../wire/names.ts';
import type { QueryLine } from './query-line.ts';

/**
 * @param text with escapes as in zone files or without; an ending dot is accepted, a beginning one too
 * @returns as query lines have names, in lower case, empty for the root; null: no name can be so
 */
export function nameFilter(text: string): string | null {
  if (text === '.') return '';
  try {
    const octets = text.replace(/^\./, '').replace(ESCAPE, (_, code?: string, character?: string) => {
      if (code === undefined) return character as string;
      if (Number(code) > 0xff) throw new NameError(`\\${code} is no octet`);
      return String.fromCharCode(Number(code));
    });
    if (octets === '') return null;
    return toTextName(toWireName(octets)).slice(0, -1);
  } catch (error) {
    if (error instanceof NameError) return null;
    throw error;
  }
}

/** RFC 1035 s5.1. A dot within a label is left out: hardly any name has one, and here it parts labels. */
const ESCAPE = /\\(?:(\d{3})|([^\d.]))/g;

/** @returns as query lines have addresses; null: it is none */
export function clientFilter(text: string): string | null {
  if (isIP(text) === 0) return null;
  // A zone is of this machine, and stands behind the address as it is.
  const [, bare = '', zone = ''] = /^([^%]*)(%.*)?$/.exec(text) ?? [];
  const { address } = new SocketAddress({ address: bare, family: isIPv6(bare) ? 'ipv6' : 'ipv4' });
  const own = address.replace(/^::ffff:(?=\d+\.)/, '');
  // An IPv4 address has none.
  return zone !== '' && isIPv4(own) ? null : own + zone;
}

/** @param name as `nameFilter` gives it @param client as `clientFilter` does; null: all */
export function matcherOf(name: string | null, client: string | null): (line: QueryLine) => boolean {
  const suffix = name ?? '';
  return (line) => {
    if (client !== null && line.client !== client) return false;
    if (suffix === '') return true;
    const asked = line.name?.toLowerCase() ?? '';
    return asked === suffix || asked.endsWith(`.${suffix}`);
  };
}
