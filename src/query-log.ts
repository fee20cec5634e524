/** The query log: DNS queries among the other lines of the log, all of them or one of so many. */
import { queryLine } from './admin/query-line.ts';
import { outcomeName } from './dns/outcome.ts';
import type { Log } from './log.ts';
import type { Publisher } from './publish/publisher.ts';

/** @param every one of so many; resolves when it has begun */
export async function logQueries({ queries }: Publisher, every: number, log: Log): Promise<void> {
  await queries.add(every, (seen, leftOut) => {
    for (const query of seen) {
      const { at, ...line } = queryLine(query, outcomeName(query.outcome));
      const { client, name, type, rcode, outcome, answers, microseconds } = line;
      const said = [rcode ?? 'no reply', ...answers].join(', ');
      const question = name === null ? 'nothing that could be read' : `${name} ${type}`;
      log.info(line, `${client} asked ${question}: ${said} (${outcome}, ${microseconds} µs)`);
    }
    if (leftOut > 0) log.info(`${leftOut} more queries are not in the log: they were too many at once`);
  });
}
