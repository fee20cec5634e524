/** Settings of forwarding that cannot be used. */
import { describe, it } from 'vitest';
import { expectRefusal, setUpJourney } from '../support/journey-tools.ts';

const journey = setUpJourney();

describe('a setting that cannot be used ends the start with one line that names it', () => {
  it.each<[string, string]>([
    ['FORWARD', 'corp.example'],
    ['FORWARD', 'corp.example='],
    ['FORWARD', 'corp.example=nowhere'],
    ['FORWARD', 'corp.example=10.0.0.1:0'],
    ['FORWARD', 'corp.example=10.0.0.1:70000'],
    ['FORWARD', 'corp..example=10.0.0.1'],
    ['FORWARD', `${'a'.repeat(64)}.example=10.0.0.1`],
    ['FORWARD', 'corp.example=10.0.0.1,corp.example=10.0.0.2'],
    ['REFUSE', 'a..b'],
    ['SINGLE_LABEL_UPSTREAMS', 'nowhere'],
    ['SPECIAL_USE_NAMES', 'a..b'],
    ['OWN_NAME', 'a..b'],
    ['CACHE_BYTES', '-1'],
    ['CACHE_BYTES', 'much'],
    ['CACHE_STALE_SECONDS', '-1'],
    ['CACHE_STALE_SECONDS', '1.5'],
    ['UPSTREAMS', '10.0.0.1:0'],
    ['UPSTREAMS', 'system,10.0.0.1'],
  ])('%s=%s', async (key, value) => {
    expectRefusal(await journey.runToEnd({ settings: { [key]: value } }), `CLOUDMAPD_${key}`);
  });

  it.each<[string, string, string]>([
    ['an address that is none', 'records: [{ name: a.example, type: A, value: 10.0.0.999 }]', 'records[0].value'],
    [
      'an address of the other family',
      'records: [{ name: a.example, type: AAAA, value: 10.0.0.9 }]',
      'records[0].value',
    ],
    ['a type that there is not', 'records: [{ name: a.example, type: MX, value: b.example }]', 'records[0].type'],
    ['a name that is none', 'records: [{ name: a..example, type: A, value: 10.0.0.9 }]', 'records[0].name'],
    ['a target that is none', 'records: [{ name: a.example, type: CNAME, value: a..b }]', 'records[0].value'],
    ['a TTL that is none', 'records: [{ name: a.example, type: A, value: 10.0.0.9, ttl: -1 }]', 'records[0].ttl'],
    [
      'a CNAME beside other records',
      'records: [{ name: a.example, type: A, value: 10.0.0.9 }, { name: a.example, type: CNAME, value: b.example }]',
      'records[1]',
    ],
    ['a rule without an address', 'forward: { corp.example: [] }', 'forward'],
    ['a rule with an address that is none', 'forward: { corp.example: [nowhere] }', 'forward'],
  ])('in the file: %s', async (_, text, key) => {
    const file = journey.writeFile('cloudmapd.yaml', `${text}\n`);
    expectRefusal(await journey.runToEnd({ settings: { CONFIG: file } }), `${file}:1: `, key);
  });
});
