/** The record types of a service's DnsConfig and what each wants of its instances. A new type is one entry here. */
import type { DnsRecord, RecordType } from './model.ts';

/** Groups of attributes; of each group one must be present. */
export const REQUIRED_ATTRIBUTES: Readonly<Record<RecordType, readonly (readonly string[])[]>> = {
  A: [['AWS_INSTANCE_IPV4']],
  AAAA: [['AWS_INSTANCE_IPV6']],
  CNAME: [['AWS_INSTANCE_CNAME']],
  SRV: [['AWS_INSTANCE_PORT'], ['AWS_INSTANCE_IPV4', 'AWS_INSTANCE_IPV6']],
};

export const RECORD_TYPES = Object.keys(REQUIRED_ATTRIBUTES) as RecordType[];

/** Cloud Map: DnsRecord. Sorted and joined. That none, one twice, and SRV beside A are refused is our choice. */
const ALLOWED_SETS = new Set(['A', 'AAAA', 'A AAAA', 'SRV', 'CNAME']);

export function isAllowedSet(records: readonly DnsRecord[]): boolean {
  return ALLOWED_SETS.has(
    records
      .map((record) => record.type)
      .sort()
      .join(' '),
  );
}

export function hasRecord(records: readonly DnsRecord[], type: RecordType): boolean {
  return records.some((record) => record.type === type);
}
