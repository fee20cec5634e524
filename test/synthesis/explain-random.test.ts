/** Whatever is registered: what is explained is what DNS answers, instance by instance. */
import { describe, expect, it } from 'vitest';
import { createRandom, MULTIVALUE_RECORDS, type Random } from '../../src/answers/selection.ts';
import type { Change } from '../../src/registry/model.ts';
import { explainName } from '../../src/synthesis/explain-name.ts';
import { messageText, type TextMessage } from '../../src/wire/presentation.ts';
import {
  COMPILE_OPTIONS,
  Content,
  type InstanceSpec,
  putInstance,
  putNamespace,
  putService,
  putTarget,
  type ServiceSpec,
} from '../support/content.ts';
import { buildQuery } from '../support/dns.ts';

const NAME = 'web.corp.internal';
const TYPES = ['A', 'AAAA', 'CNAME', 'SRV', 'ANY', 'TXT'];
/** For each of the choices: so many that every one is drawn, but once in some million million times. */
const DRAWS = 30;

const oneOf = <T>(random: Random, values: readonly T[]): T => values[random(values.length)] as T;

function randomService(random: Random): ServiceSpec {
  return {
    records: oneOf(random, ['A 60', 'A 60, AAAA 30', 'AAAA 30, A 60', 'CNAME 20', 'SRV 10', 'A 60, SRV 10']),
    policy: oneOf(random, ['MULTIVALUE', 'WEIGHTED'] as const),
    check: oneOf(random, ['none', 'custom', 'probe'] as const),
  };
}

function randomInstance(random: Random, n: number): InstanceSpec {
  const has = (): boolean => random(4) > 0;
  if (random(5) === 0) return { id: `i-${n}`, alias: `t${random(4)}.example`, ...randomHealth(random) };
  return {
    id: `i-${n}`,
    ...(has() && { ipv4: `10.0.0.${random(6) + (n % 2) * 100 + 1}` }),
    ...(has() && { ipv6: `fd00::${n + 1}` }),
    ...(has() && { port: 1000 + n }),
    ...(has() && { cname: `c${random(3)}.example` }),
    ...randomHealth(random),
  };
}

function randomHealth(random: Random): Pick<InstanceSpec, 'status' | 'lastHealthyAt'> {
  return {
    status: oneOf(random, ['HEALTHY', 'UNHEALTHY', 'UNHEALTHY'] as const),
    lastHealthyAt: oneOf(random, [null, 1000, 2000, 3000]),
  };
}

function randomTargets(random: Random): Change[] {
  return [0, 1, 2].map((n) =>
    putTarget(`t${n}.example`, {
      ipv4: oneOf(random, [[], [`192.0.2.${n}`], [`192.0.2.${n}`, `192.0.2.${n + 10}`]]),
      ipv6: oneOf(random, [[], [`2001:db8::${n}`]]),
      isHealthy: random(2) === 0,
      lastHealthyAt: oneOf(random, [null, 1000, 3000]),
    }),
  );
}

function ask(content: Content, type: string): TextMessage {
  const reply = content.asker.send(buildQuery(NAME, type), true);
  if (typeof reply === 'string') throw new Error(`the query got "${reply}"`);
  return messageText(reply);
}

describe.each(['last-healthy', 'all'] as const)('with the fallback %s', (fallback) => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))('each instance is judged as DNS has it (seed %i)', (seed) => {
    const random = createRandom(seed);
    const maxTtlSeconds = oneOf(random, [null, 15]);
    // Some have so many that their choices are kept otherwise.
    const count = oneOf(random, [0, 1, 2, 5, 12, 40]);
    const instances = Array.from({ length: count }, (_, n) => randomInstance(random, n));
    const options = { ...COMPILE_OPTIONS, fallback, maxTtlSeconds };
    const content = new Content(
      [putNamespace(), putService(randomService(random)), ...instances.map(putInstance)],
      { fallback, maxTtlSeconds },
      seed,
    );
    content.change(...randomTargets(random));
    for (const type of TYPES) {
      const message = ask(content, type);
      // A CNAME is followed to where nothing is: what is at the name itself comes first.
      const own = message.answer.filter(({ name }) => name === `${NAME}.`);
      const found = explainName(content.state, NAME, type, new Set(message.answerTails), options);
      const rows = found?.instances ?? [];
      const recordsOf = (...verdicts: string[]): string[] =>
        [...new Set(rows.filter(({ verdict }) => verdicts.includes(verdict)).flatMap(({ records }) => records))].sort();
      expect(recordsOf('answered')).toEqual(own.map(({ rdata }) => rdata).sort());
      if (own.length > 0) {
        const choices = recordsOf('answered', 'not-drawn');
        const drawn = Array.from({ length: DRAWS * choices.length }, () =>
          ask(content, type).answer.map(({ rdata }) => rdata),
        );
        expect(choices).toEqual([...new Set(drawn.flat())].sort());
        expect(new Set(own.map((record) => record.type))).toEqual(new Set([found?.records?.type]));
        for (const { ttl } of own) expect(rows.map((row) => row.ttlSeconds)).toContain(ttl);
      } else expect(found?.records ?? null).toBe(null);
      expect(rows).toHaveLength(count);
      expect(Object.values(found?.counts ?? {}).reduce((sum, each) => sum + each, 0)).toBe(count);
      expect(own.length).toBeLessThanOrEqual(2 * MULTIVALUE_RECORDS);
    }
  });
});
