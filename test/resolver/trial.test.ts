/** One question to one server, however that behaves. */
import { afterEach, expect, it } from 'vitest';
import { tryServer } from '../../src/resolver/trial.ts';
import { TYPE_CODES } from '../../src/wire/codec.ts';
import {
  type Behaviour,
  closedPort,
  FakeUpstream,
  GOOD,
  NEVER,
  questionOf,
  replyTo,
} from '../support/fake-upstream.ts';

const opened: FakeUpstream[] = [];
afterEach(async () => {
  for (const upstream of opened.splice(0)) await upstream.close();
});

async function open(behaviour: Behaviour): Promise<FakeUpstream> {
  const upstream = await FakeUpstream.open(behaviour);
  opened.push(upstream);
  return upstream;
}

const BOTH = ['UDP', 'TCP'] as const;
const A = TYPE_CODES.A as number;

it.each(BOTH)('has the reply over %s, to the question that was meant', async (transport) => {
  const upstream = await open(GOOD);
  const trial = await tryServer(upstream, 'www.example.com', A, transport);
  expect(trial).toEqual({ reply: expect.any(Uint8Array), ms: expect.any(Number) });
  const [seen] = upstream.seen;
  expect(upstream.seen).toHaveLength(1);
  expect({ overTcp: seen?.overTcp, ...questionOf(seen?.query as Buffer) }).toMatchObject({
    overTcp: transport === 'TCP',
    name: 'www.example.com',
    type: A,
    qclass: 1,
  });
});

it('asks for the root too', async () => {
  const upstream = await open(GOOD);
  await tryServer(upstream, '', TYPE_CODES.NS as number, 'UDP');
  expect(questionOf(upstream.seen[0]?.query as Buffer)).toMatchObject({ name: '', type: 2 });
});

it.each(BOTH)('says that nobody listens over %s', async (transport) => {
  const trial = await tryServer({ address: '127.0.0.1', port: await closedPort() }, 'a.example', A, transport);
  expect(trial).toEqual({ problem: 'nobody listens there' });
});

it.each(BOTH)('says that it is silent over %s, and asks twice over UDP', async (transport) => {
  const upstream = await open(() => NEVER);
  expect(await tryServer(upstream, 'a.example', A, transport, 1000)).toEqual({ problem: 'no reply within 1 s' });
  expect(upstream.seen).toHaveLength(transport === 'UDP' ? 2 : 1);
});

it('takes no reply to another question for one, and over TCP says so', async () => {
  const upstream = await open((query) => {
    const reply = replyTo(query);
    reply[0] = (reply[0] as number) ^ 0xff;
    return [reply, Buffer.from('junk')];
  });
  expect(await tryServer(upstream, 'a.example', A, 'UDP', 800)).toEqual({ problem: 'no reply within 0.8 s' });
  expect(await tryServer(upstream, 'a.example', A, 'TCP')).toEqual({ problem: 'something else than a reply came' });
});

it('says that a connection was closed, with or without half a reply', async () => {
  const closing = await open(() => []);
  const cutting = await open((query) => [{ half: replyTo(query) }]);
  for (const upstream of [closing, cutting]) {
    expect(await tryServer(upstream, 'a.example', A, 'TCP')).toEqual({
      problem: 'the connection was closed without a reply',
    });
  }
});
