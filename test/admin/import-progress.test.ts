/** An import that takes its time: how far it is, as HTTP and a terminal tell it, and a reset in the midst of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';
import { runWell } from '../support/cli.ts';
import { readLines } from '../support/event-reader.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';
import { requireTerminal, startInTerminal } from '../support/terminal.ts';

const journey = setUpJourney();
let api: TestApi;
/** Lets go of what is held. */
let open: () => void;
beforeEach(async () => {
  open = () => undefined;
  api = await startApi({ store: 'memory' });
});
afterEach(async () => {
  open();
  await api.close();
});

/** Pieces that take two batches, and three more. */
const INSTANCES = 1700;
const TOTAL = INSTANCES + 2;
const DOCUMENT = {
  cloudmapd: 1,
  namespaces: [{ id: 'ns-1', name: 'large', type: 'HTTP' }],
  services: [{ id: 'srv-1', namespaceId: 'ns-1', name: 'large', type: 'HTTP' }],
  instances: Array.from({ length: INSTANCES }, (_, i) => ({ serviceId: 'srv-1', id: `i-${i}` })),
};
const BODY = JSON.stringify(DOCUMENT);
/** The first piece is the namespace and the service, the second one 500 instances. */
const FIRST = 2;
const SECOND = 502;

/** The second piece is in, and is not answered until `open` is called. */
function holdBatches(): void {
  let count = 0;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  api.daemon.registry.subscribe(async () => {
    count++;
    if (count === 2) await gate;
  });
}

const send = (
  body: string,
  query = '',
  headers: Readonly<Record<string, string>> = { accept: 'application/x-ndjson' },
) => fetch(`${api.endpoint}/admin/import${query}`, { method: 'POST', body, headers });

describe('POST /admin/import that accepts lines', () => {
  it('says how far it is, and then what became of it', async () => {
    holdBatches();
    const response = await send(BODY);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'application/x-ndjson; charset=utf-8',
    ]);
    const lines = readLines(response);
    const [first] = await lines.take(1);
    expect(first).toEqual({ progress: { phase: 'checking', done: 0, total: TOTAL } });
    let line = await lines.next();
    while (line.progress.phase === 'checking') line = await lines.next();
    expect(line).toEqual({ progress: { phase: 'importing', done: 0, total: TOTAL } });
    // It stands there for as long as it takes.
    expect(await lines.next()).toEqual({ progress: { phase: 'importing', done: FIRST, total: TOTAL } });
    open();
    const rest = [];
    for (let next = await lines.next(); next !== null; next = await lines.next()) rest.push(next);
    expect(rest.at(-1)).toMatchObject({
      dryRun: false,
      created: { namespaces: 1, services: 1, instances: INSTANCES },
      moreDifferences: TOTAL - 1000,
    });
    const again = await allLines(await send(BODY));
    expect(again.at(-1)).toMatchObject({ unchanged: { namespaces: 1, services: 1, instances: INSTANCES } });
  });

  it('and without that answers as ever', async () => {
    const response = await send(BODY, '?dryRun=true', {});
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.json()).toMatchObject({ dryRun: true, created: { instances: INSTANCES } });
  });

  it('refuses by its status what it cannot read, and in the last line what breaks the rules', async () => {
    const unread = await send('{"cloudmapd":1,"namespaces":[{"id":5}]}');
    expect([unread.status, await unread.json()]).toEqual([
      400,
      expect.objectContaining({ path: ['namespaces', 0, 'id'] }),
    ]);
    const twice = { ...DOCUMENT, instances: [...DOCUMENT.instances, DOCUMENT.instances[0]] };
    const response = await send(JSON.stringify(twice));
    expect(response.status).toBe(200);
    expect((await allLines(response)).at(-1)).toEqual({
      status: 400,
      error: `instances[${INSTANCES}] (srv-1/i-0): is there twice`,
      problem: 'is there twice',
      path: ['instances', INSTANCES],
    });
    expect([...api.daemon.registry.state.namespaces()]).toEqual([]);
    // Nor is the next one kept waiting.
    expect((await allLines(await send(BODY))).at(-1)).toMatchObject({ created: { instances: INSTANCES } });
  });

  it('has them of the declared form too', async () => {
    const declared = { namespaces: [{ name: 'shop', type: 'HTTP', services: [{ name: 'a' }] }] };
    expect(await allLines(await send(JSON.stringify(declared)))).toEqual([
      { progress: { phase: 'checking', done: 0, total: 2 } },
      expect.objectContaining({ created: { namespaces: 1, services: 1, instances: 0 } }),
    ]);
  });
});

async function allLines(response: Response): Promise<Record<string, unknown>[]> {
  return (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('cloudmapd import', () => {
  it("shows the daemon's own part by a bar on a terminal", async (context) => {
    requireTerminal(context);
    holdBatches();
    const file = journey.writeFile('large.json', BODY);
    const terminal = startInTerminal(['import', file, '--endpoint', api.endpoint]);
    await terminal.shows(/\[\.+\] +0 % {2}importing: 2 of 1702 records, \d+ s/);
    open();
    expect(await terminal.ended).toBe(0);
    expect(terminal.text()).toMatch(/created: 1 namespace, 1 service, 1700 instances; [^\n]+\n$/);
  });

  it('and nothing of it in a pipe', async () => {
    const file = journey.writeFile('large.json', BODY);
    expect(await runWell(['import', file, '--endpoint', api.endpoint])).toMatch(/^created: 1 namespace, [^\n]+\n$/);
  });
});

it('a daemon that stops does not wait for the rest of an import, which says how much is in', async () => {
  holdBatches();
  const importing = send(BODY);
  const { state } = api.daemon.registry;
  await waitFor('the second piece', () => (state.instance('srv-1', 'i-499') === undefined ? null : true));
  const closed = api.close();
  open();
  expect((await allLines(await importing)).at(-1)).toEqual({
    status: 500,
    error: `the daemon is stopping (${SECOND} of ${TOTAL} records are in; the import can be repeated)`,
  });
  await closed;
  expect(state.instance('srv-1', 'i-500')).toBe(undefined);
  api = await startApi({ store: 'memory' });
});

describe('a reset in the midst of an import', () => {
  it.each([{ accept: 'application/x-ndjson' }, {}])('ends it, which says so: %o', async (headers) => {
    holdBatches();
    const importing = send(BODY, '', headers as Record<string, string>);
    const { state } = api.daemon.registry;
    await waitFor('the second piece', () => (state.instance('srv-1', 'i-499') === undefined ? null : true));
    const resetting = fetch(`${api.endpoint}/admin/reset`, { method: 'POST' });
    await waitFor('the reset', () => (state.service('srv-1') === undefined ? true : null));
    open();
    const last = (await allLines(await importing)).at(-1) as { error: string };
    expect(last.error).toBe(
      `the registry was reset when ${SECOND} of ${TOTAL} records were in: they are gone with it, and no others follow`,
    );
    expect(await (await resetting).json()).toMatchObject({ removed: SECOND });
    expect([...state.namespaces()]).toEqual([]);
    // It can be repeated.
    expect((await allLines(await send(BODY))).at(-1)).toMatchObject({ created: { instances: INSTANCES } });
  });
});
