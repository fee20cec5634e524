/** `GET /admin/explain`, and what differs from run to run taken out of its sentences. */
import { expect } from 'vitest';
import type { ExplainedInstance, Explanation } from '../../src/synthesis/explanation.ts';

/** @param question such as `web.demo.internal AAAA` */
export async function explain(endpoint: string, question: string, from?: string): Promise<Explanation> {
  const [name = '', type = 'A'] = question.split(' ');
  const query = new URLSearchParams({ name, type, ...(from !== undefined && { from }) });
  const response = await fetch(`${endpoint}/admin/explain?${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Explanation;
}

/** With `srv-*`, `ns-*` and `N` for ids and serials, and `T` for spans of time that go on. */
export function stable(sentence: string): string {
  const span = String.raw`\d+ (?:s|min|h|days)`;
  return sentence
    .replace(/\b(srv|ns)-[a-z0-9]{16}\b/g, '$1-*')
    .replace(/at serial \d+/, 'at serial N')
    .replace(
      new RegExp(
        `\\b(for|until|since|came|registered,|from|in|another) (${span}|\\d+ ms)\\b(?!, (?:the|as|which|what) )`,
        'g',
      ),
      '$1 T',
    );
}

export async function summaryOf(endpoint: string, question: string, from?: string): Promise<string[]> {
  return (await explain(endpoint, question, from)).summary.map(stable);
}

/** `id HEALTH verdict [records]` of the instances of one name on the way. */
export function instancesOf({ names }: Explanation, index = 0): string[] {
  const instances: readonly ExplainedInstance[] = names[index]?.registry?.instances ?? [];
  return instances.map(({ id, health, verdict, records }) => [id, health, verdict, ...records].join(' '));
}
