/** What an answering thread holds, choice by choice. */
import { choiceAt, choiceBytes, choiceCount, findRrset } from '../../src/answers/answer-set.ts';
import type { ZoneSet } from '../../src/answers/zone-set.ts';
import { TYPE } from '../../src/wire/header.ts';
import { NameView, toWireName } from '../../src/wire/names.ts';

/** All choices of an RRset, of which an answer has eight at the most, and its note; null: there is no such RRset. */
export function choicesIn(zones: ZoneSet, name: string, type: keyof typeof TYPE): string[] | null {
  const wire = toWireName(name);
  const view = new NameView();
  view.read(wire, 0, wire.length);
  const { zone, bytes, set } = zones.find(wire, view);
  const rrset = zone === null || set === 0 ? 0 : findRrset(bytes, set, TYPE[type]);
  if (zone === null || rrset === 0) return null;
  const table = zone.choicesOf(bytes, rrset);
  const count = table?.count ?? choiceCount(bytes, rrset);
  return Array.from({ length: count }, (_, index) => {
    const source = table?.bytes ?? bytes;
    const at = table?.at(index) ?? choiceAt(bytes, rrset, index);
    return Buffer.from(source.subarray(at, at + choiceBytes(source, at))).toString('hex');
  }).sort();
}
