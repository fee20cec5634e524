import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/answers/selection.ts';
import { Responder } from '../../src/dns/respond.ts';
import { rrset, tailOf, zoneSetOf } from '../support/answering.ts';
import { buildQuery } from '../support/dns.ts';
import { ANYONE, outside } from '../support/resolving.ts';

const QUERIES = 10_000;
const TRIES = 100;

/**
 * Bytes per query that are new on the heap, once V8 has compiled what is run; where the collector ran it is less than
 * nothing, which does not count.
 */
function allocatedPerQuery(ask: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES && least >= 1; i++) {
    const before = process.memoryUsage().heapUsed;
    for (let j = 0; j < QUERIES; j++) ask();
    const bytes = (process.memoryUsage().heapUsed - before) / QUERIES;
    if (bytes >= 0) least = Math.min(least, bytes);
  }
  return least;
}

describe('a query allocates nothing', () => {
  const zones = zoneSetOf({
    'corp.internal': {
      web: [rrset(['60 IN A 10.0.0.1', '60 IN A 10.0.0.2', '60 IN A 10.0.0.3'], 'multivalue')],
      weighted: [rrset(['60 IN A 10.0.0.1', '60 IN A 10.0.0.2'], 'weighted')],
      many: [
        rrset(
          Array.from({ length: 100 }, (_, i) => `60 IN A 10.0.1.${i}`),
          'multivalue',
        ),
      ],
      large: [
        {
          ...rrset(
            Array.from({ length: 100 }, (_, i) => `60 IN A 10.0.2.${i}`),
            'multivalue',
          ),
          isTabled: true,
        },
      ],
      alias: [rrset(['60 IN CNAME web.corp.internal'])],
      _tcp: [
        {
          type: 33,
          policy: 'multivalue',
          choices: [1, 2].map((i) => ({
            answers: [tailOf(`60 IN SRV 1 1 80 i${i}._tcp.corp.internal`)],
            additionals: [{ prefix: Buffer.from(`\x02i${i}`, 'latin1'), tail: tailOf(`60 IN A 10.0.0.${i}`) }],
          })),
        },
      ],
    },
  });
  const responder = new Responder({ zones, random: createRandom(1), ...outside(false) });
  const reply = new Uint8Array(65_535);

  it.each([
    ['web.corp.internal', 'A', {}],
    ['WeB.coRP.inTernal', 'A', {}],
    ['web.corp.internal', 'A', { edns: 1232 }],
    ['weighted.corp.internal', 'A', {}],
    ['many.corp.internal', 'A', {}],
    ['large.corp.internal', 'A', {}],
    ['alias.corp.internal', 'A', {}],
    ['_tcp.corp.internal', 'SRV', {}],
    ['web.corp.internal', 'AAAA', {}],
    ['nothing.corp.internal', 'A', {}],
    ['www.example.com', 'A', {}],
  ])('%s %s %j', (name, type, options) => {
    const query = buildQuery(name, type, options);
    expect(
      allocatedPerQuery(() => {
        responder.respond(query, query.length, reply, false, null, ANYONE);
      }),
    ).toBeLessThan(1);
  });
});
