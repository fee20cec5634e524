/** Addresses of the daemon itself, as whoever asks can reach it. */
import type { Rrset } from '../answers/answer-set.ts';
import { TYPE } from '../wire/header.ts';
import { aaaaRdata, aRdata, recordTail } from '../wire/rdata.ts';

const IPV6_LOOPBACK = aaaaRdata('::1').join();

/**
 * A and AAAA, each as far as there are addresses of the family: the address that was asked where it is of the family,
 * else those given. Loopback is this daemon to those alone who asked it there: to a container that asked elsewhere it
 * is itself.
 * @param ttlSeconds of all records
 */
export function askedAddresses(
  { ipv4, ipv6 }: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] },
  ttlSeconds: number,
): Rrset[] {
  return [
    ...rrsetOf(TYPE.A, ipv4.map(aRdata), (rdata) => rdata[0] === 127, ttlSeconds),
    ...rrsetOf(TYPE.AAAA, ipv6.map(aaaaRdata), (rdata) => rdata.join() === IPV6_LOOPBACK, ttlSeconds),
  ];
}

function rrsetOf(
  type: number,
  addresses: readonly Uint8Array[],
  isLoopback: (rdata: Uint8Array) => boolean,
  ttlSeconds: number,
): Rrset[] {
  if (addresses.length === 0) return [];
  const reachable = addresses.filter((rdata) => !isLoopback(rdata));
  const choices = (reachable.length > 0 ? reachable : addresses).map((rdata) => ({
    answers: [recordTail(type, ttlSeconds, rdata)],
    additionals: [],
  }));
  return [{ type, policy: reachable.length > 0 ? 'asked' : 'askedOnly', choices }];
}
