/** What is known, and what is asked for how often. The upstreams are real, the clock is not. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeQuestion, type Question } from '../../src/resolver/question.ts';
import { Reply } from '../../src/resolver/reply.ts';
import type {
  Outcome,
  Resolver,
  ResolverEvents,
  ResolverFigures,
  ResolverOptions,
} from '../../src/resolver/resolver.ts';
import { NameView, toWireName } from '../../src/wire/names.ts';
import { type Behaviour, FakeUpstream, NEVER, replyTo } from '../support/fake-upstream.ts';
import { closeResolvers, makeResolver } from '../support/resolving.ts';

const servers: FakeUpstream[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(async () => {
  closeResolvers();
  vi.useRealTimers();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(behaviour: Behaviour): Promise<FakeUpstream> {
  const server = await FakeUpstream.open(behaviour);
  servers.push(server);
  return server;
}

const address =
  (octet: number, ttl = 60): Behaviour =>
  (query) => [replyTo(query, { answer: [`@ ${ttl} IN A 192.0.2.${octet}`] })];
const refuse: Behaviour = (query) => [replyTo(query, { records: 0, rcode: 'SERVFAIL' })];

/** A resolver in front of one server, asked as a responder asks it. */
class Asking {
  readonly server: FakeUpstream;
  readonly resolver: Resolver;

  constructor(server: FakeUpstream, options: Partial<ResolverOptions> = {}, events?: ResolverEvents) {
    this.server = server;
    this.resolver = makeResolver([server], options, events);
  }

  static async of(behaviour: Behaviour, options: Partial<ResolverOptions> = {}): Promise<Asking> {
    return new Asking(await serve(behaviour), options);
  }

  get group() {
    return this.resolver.groupOf({ action: { kind: 'default' }, label: 0 }) ?? expect.unreachable();
  }

  /** What is known without asking: the address's last octet, and the seconds that it is old. */
  known(name = 'www.example.com', bits = 0): string | null {
    const { name: wire, nameHash, type } = makeQuestion(toWireName(name), 1, bits);
    const held = this.resolver.find(this.group, nameHash, wire, 0, wire.length, type, bits, Date.now());
    return held === null ? null : textOf({ held, isStale: held.expiresAtMs <= Date.now(), failure: null });
  }

  ask(question: Question | string = 'www.example.com', query: Uint8Array | null = null): Promise<string> {
    const asked = typeof question === 'string' ? makeQuestion(toWireName(question), 1, 0) : question;
    return new Promise((resolve) =>
      this.resolver.ask(asked, this.group, Date.now(), (outcome) => resolve(textOf(outcome)), query),
    );
  }

  /** How often the server was asked, over whatever transport. */
  get times(): number {
    return this.server.seen.length;
  }
}

/** `192.0.2.1 since 5 s`, `NXDOMAIN`, `failure 2`, with `stale` behind it. */
function textOf({ held, isStale, failure }: Outcome & { isStale?: boolean }): string {
  if (held === null) return typeof failure === 'string' ? failure : `failure ${failure.rcode}`;
  const { rcode, answers, bytes, bodyAt } = new Reply().read(held.bytes, held.at);
  const what = rcode === 3 ? 'NXDOMAIN' : answers === 0 ? 'NODATA' : bytes.subarray(bodyAt + 12, bodyAt + 16).join('.');
  return `${what} since ${Math.floor((Date.now() - held.storedAtMs) / 1000)} s${isStale ? ', stale' : ''}`;
}

const pass = (seconds: number): void => void vi.advanceTimersByTime(1000 * seconds);

/** Moves the clock while what is in flight goes on, until it is done. */
async function passUntil<T>(done: Promise<T>): Promise<T> {
  let isDone = false;
  void done.then(() => {
    isDone = true;
  });
  while (!isDone) {
    await vi.advanceTimersByTimeAsync(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return done;
}

describe('an answer', () => {
  it('is asked for once, and known until its end', async () => {
    const asking = await Asking.of(address(1));
    expect(asking.known()).toBeNull();
    expect(await asking.ask()).toBe('192.0.2.1 since 0 s');
    pass(40);
    expect(asking.known('WWW.example.COM')).toBe('192.0.2.1 since 40 s');
    pass(20);
    expect(asking.known()).toBeNull();
    expect(asking.times).toBe(1);
  });

  it('is one for those who ask at the same time (RFC 5452 s5)', async () => {
    const asking = await Asking.of(address(1));
    const answers = await Promise.all(Array.from({ length: 100 }, () => asking.ask()));
    expect(new Set(answers)).toEqual(new Set(['192.0.2.1 since 0 s']));
    expect(asking.times).toBe(1);
  });

  it('is another one for other bits, and for each client subnet', async () => {
    const asking = await Asking.of(address(1));
    const subnet = (octet: number): Question =>
      makeQuestion(toWireName('www.example.com'), 1, 0, Uint8Array.of(0, 1, 24, 0, 192, 0, octet));
    const signed = makeQuestion(toWireName('www.example.com'), 1, 0x8000);
    await Promise.all([
      asking.ask(),
      asking.ask(signed),
      asking.ask(subnet(1)),
      asking.ask(subnet(1)),
      asking.ask(subnet(2)),
    ]);
    expect(asking.times).toBe(4);
    expect(asking.known('www.example.com', 0x8000)).not.toBeNull();
    await asking.ask(subnet(1));
    expect(asking.times).toBe(5);
  });

  it('for a client subnet is not kept, not even where nobody sent one', async () => {
    const data = [0, 8, 0, 7, 0, 1, 24, 24, 192, 0, 2];
    const asking = await Asking.of((query) => [replyTo(query, { opt: { options: data } })]);
    await asking.ask();
    expect(asking.known()).toBeNull();
    await asking.ask(makeQuestion(toWireName('www.example.com'), 1, 0, Uint8Array.of(0, 1, 24, 0, 192, 0, 2)));
    expect(asking.known()).toBeNull();
  });

  it('with a TTL of 0 is for those who ask at the time alone', async () => {
    const asking = await Asking.of(address(1, 0));
    expect(await asking.ask()).toBe('192.0.2.1 since 0 s');
    expect(asking.known()).toBeNull();
  });

  it('that there is none is known as long as the SOA says (RFC 2308 s5)', async () => {
    const authority = ['example.com. 900 IN SOA ns.example. root.example. 1 2 3 4 30'];
    const asking = await Asking.of((query) => [replyTo(query, { rcode: 'NXDOMAIN', records: 0, authority })]);
    expect(await asking.ask()).toBe('NXDOMAIN since 0 s');
    pass(29);
    expect(asking.known()).toBe('NXDOMAIN since 29 s');
    pass(1);
    expect(asking.known()).toBeNull();
  });

  it('is not kept where the cache has no room', async () => {
    const asking = await Asking.of(address(1), { cacheBytes: 0 });
    await asking.ask();
    expect(asking.known()).toBeNull();
  });
});

describe('an answer that is asked for often', () => {
  it('is asked for again in the last tenth of its time, once', async () => {
    const asking = await Asking.of(address(1));
    await asking.ask();
    for (let i = 0; i < 3; i++) asking.known();
    pass(53);
    asking.known();
    expect(asking.times).toBe(1);
    pass(2);
    asking.server.behaviour = address(2);
    for (let i = 0; i < 5; i++) expect(asking.known()).toBe('192.0.2.1 since 55 s');
    await vi.waitFor(() => expect(asking.known()).toBe('192.0.2.2 since 0 s'));
    expect(asking.times).toBe(2);
  });

  it('and only then: one that was asked for once or twice just ends', async () => {
    const asking = await Asking.of(address(1));
    await asking.ask();
    pass(59);
    expect([asking.known(), asking.known()]).toEqual(['192.0.2.1 since 59 s', '192.0.2.1 since 59 s']);
    await asking.ask('other.example.com');
    expect(asking.server.timesAsked('www.example.com')).toBe(1);
  });

  it('stays as it is where no upstream has a newer one', async () => {
    const asking = await Asking.of(address(1));
    await asking.ask();
    for (let i = 0; i < 3; i++) asking.known();
    pass(55);
    asking.server.behaviour = refuse;
    asking.known();
    await vi.waitFor(() => expect(asking.times).toBe(2));
    expect(await asking.ask()).toBe('192.0.2.1 since 55 s');
    expect(asking.known()).toBe('192.0.2.1 since 55 s');
  });

  it('is asked for again a few times at most where the upstream fails, however often clients ask', async () => {
    const asking = await Asking.of(address(1));
    await asking.ask();
    for (let i = 0; i < 3; i++) asking.known();
    pass(55);
    asking.server.behaviour = refuse;
    for (let i = 0; i < 300; i++) {
      expect(asking.known()).toBe('192.0.2.1 since 55 s');
      // What the upstream has replied is heard in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await vi.waitFor(() => expect(asking.times).toBeGreaterThan(1));
    for (let i = 0; i < 300; i++) {
      asking.known();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(asking.times).toBeLessThan(5);
  });
});

describe('an answer that has ended (RFC 8767)', () => {
  it('is given where the upstreams refuse, at once, and for half a minute without asking', async () => {
    const asking = await Asking.of(address(1));
    await asking.ask();
    pass(100);
    asking.server.behaviour = refuse;
    expect(asking.known()).toBeNull();
    expect(await asking.ask()).toBe('192.0.2.1 since 100 s, stale');
    pass(29);
    expect(asking.known()).toBe('192.0.2.1 since 129 s, stale');
    expect(asking.times).toBe(2);
    pass(1);
    expect(asking.known()).toBeNull();
    asking.server.behaviour = address(2);
    expect(await asking.ask()).toBe('192.0.2.2 since 0 s');
  });

  it('is given to who has waited for 1.8 s, and at once to who asks then', async () => {
    const asking = await Asking.of(address(1));
    await asking.ask();
    pass(100);
    asking.server.behaviour = () => NEVER;
    const startedAt = Date.now();
    expect(await passUntil(asking.ask())).toMatch(/^192\.0\.2\.1 since 101 s, stale$/);
    expect(Date.now() - startedAt).toBeLessThan(2000);
    expect(await asking.ask()).toMatch(/stale$/);
    expect(Date.now() - startedAt).toBeLessThan(2000);
  });

  it('makes place for the new one, however late it comes', async () => {
    let release: (() => void) | undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const asking = await Asking.of(address(1));
    await asking.ask();
    pass(100);
    asking.server.behaviour = async (query) => {
      await released;
      return [replyTo(query, { answer: ['@ 60 IN A 192.0.2.2'] })];
    };
    expect(await passUntil(asking.ask())).toMatch(/stale$/);
    release?.();
    await vi.waitFor(() => expect(asking.known()).toMatch(/^192\.0\.2\.2/));
  });

  it('is given for as long as the settings say', async () => {
    const asking = await Asking.of(address(1), { staleSeconds: 10 });
    await asking.ask();
    asking.server.behaviour = refuse;
    pass(69);
    expect(await asking.ask()).toMatch(/stale$/);
    pass(31);
    expect(await asking.ask()).toBe('failure 2');
  });

  it('is not given to who sends a client subnet', async () => {
    const asking = await Asking.of(address(1));
    await asking.ask();
    pass(100);
    asking.server.behaviour = refuse;
    const subnet = Uint8Array.of(0, 1, 24, 0, 192, 0, 2);
    expect(await asking.ask(makeQuestion(toWireName('www.example.com'), 1, 0, subnet))).toBe('failure 2');
  });
});

describe('a failure', () => {
  it('is remembered for a second, of that question alone (RFC 9520 s3.2)', async () => {
    const asking = await Asking.of(refuse);
    expect(await asking.ask()).toBe('failure 2');
    pass(0.999);
    expect([await asking.ask(), asking.times]).toEqual(['failure 2', 1]);
    asking.server.behaviour = address(1);
    expect(await asking.ask('other.example.com')).toBe('192.0.2.1 since 0 s');
    pass(0.001);
    expect(await asking.ask()).toBe('192.0.2.1 since 0 s');
  });

  it('is forgotten by a flush, and when there are other upstreams', async () => {
    const asking = await Asking.of(refuse);
    await asking.ask();
    asking.resolver.flush(null, false);
    await asking.ask();
    expect(asking.times).toBe(2);
    asking.resolver.setUpstreams([await serve(address(3))], 'default');
    expect(await asking.ask()).toBe('192.0.2.3 since 0 s');
  });

  it('comes in time where nobody answers', async () => {
    const asking = await Asking.of(() => NEVER);
    const startedAt = Date.now();
    expect(await passUntil(asking.ask())).toBe('failure null');
    expect(Date.now() - startedAt).toBeLessThan(4000);
  });
});

describe('too many at once', () => {
  it('are told so: the 10,001st who waits, and the 4,001st question', async () => {
    const asking = await Asking.of(() => NEVER);
    const counts = { busy: 0 };
    const count = (text: string): void => {
      if (text === 'busy') counts.busy++;
    };
    for (let n = 0; n < 4005; n++) void asking.ask(`n${n}.example.com`).then(count);
    await new Promise((resolve) => setImmediate(resolve));
    expect(counts.busy).toBe(5);
    for (let n = 0; n < 6007; n++) void asking.ask('n1.example.com').then(count);
    await new Promise((resolve) => setImmediate(resolve));
    expect(counts.busy).toBe(5 + 7);
    asking.resolver.close();
  });

  it('and are given what is stale all the same', async () => {
    const asking = await Asking.of(address(1));
    await asking.ask();
    pass(61);
    asking.server.behaviour = () => NEVER;
    for (let n = 0; n < 4000; n++) void asking.ask(`n${n}.example.com`);
    expect(await asking.ask('unknown.example.com')).toBe('busy');
    expect(await asking.ask()).toBe('192.0.2.1 since 61 s, stale');
    asking.resolver.close();
  });
});

describe('flush', () => {
  it('forgets a name, or those below it', async () => {
    const asking = await Asking.of(address(1));
    for (const name of ['a.x', 'b.a.x', 'x']) await asking.ask(name);
    expect(asking.resolver.flush('A.x.', false)).toBe(1);
    expect([asking.known('a.x'), asking.known('b.a.x')]).toEqual([null, '192.0.2.1 since 0 s']);
    expect(asking.resolver.flush('x', true)).toBe(2);
    expect(asking.resolver.flush(null, false)).toBe(0);
  });

  it.each<[string, string | null, boolean]>([
    ['everything', null, false],
    ['the name', 'www.example.com', false],
    ['what is above it with all below', 'example.com', true],
  ])('of %s has what is under way told to who waits, and not kept', async (_, name, isBelow) => {
    const held = Promise.withResolvers<void>();
    const asking = await Asking.of(async (query, overTcp, seen) => {
      await held.promise;
      return address(1)(query, overTcp, seen);
    });
    const waiting = [asking.ask(), asking.ask()];
    await vi.waitFor(() => expect(asking.times).toBe(1));
    asking.resolver.flush(name, isBelow);
    held.resolve();
    expect(await Promise.all(waiting)).toEqual(['192.0.2.1 since 0 s', '192.0.2.1 since 0 s']);
    expect(asking.known()).toBeNull();
    asking.server.behaviour = address(2);
    expect(await asking.ask()).toBe('192.0.2.2 since 0 s');
    expect(asking.known()).toBe('192.0.2.2 since 0 s');
  });

  it('of other names keeps what is under way', async () => {
    const held = Promise.withResolvers<void>();
    const asking = await Asking.of(async (query, overTcp, seen) => {
      await held.promise;
      return address(1)(query, overTcp, seen);
    });
    const waiting = asking.ask();
    await vi.waitFor(() => expect(asking.times).toBe(1));
    for (const name of ['example.com', 'a.www.example.com', 'ww.example.com']) asking.resolver.flush(name, false);
    asking.resolver.flush('a.www.example.com', true);
    held.resolve();
    await waiting;
    expect(asking.known()).toBe('192.0.2.1 since 0 s');
  });
});

describe('reset', () => {
  it('forgets what was said and what upstreams are like, also by what is under way', async () => {
    const asking = await Asking.of(address(1));
    const upstream = asking.group.upstreams[0] ?? expect.unreachable();
    await asking.ask();
    expect(upstream.rttMs).toBeGreaterThanOrEqual(0);
    asking.server.behaviour = () => NEVER;
    expect(await passUntil(asking.ask('silent.example.com'))).toBe('failure null');
    expect(upstream.isDown).toBe(true);
    expect(asking.resolver.reset()).toBe(1);
    expect(asking.known()).toBeNull();
    expect([upstream.isDown, upstream.rttMs]).toEqual([false, -1]);
    const { figures } = upstream;
    const waiting = asking.ask('late.example.com');
    await vi.waitFor(() => expect(asking.times).toBe(figures.queries + 1));
    asking.resolver.reset();
    // Its time is over, and it is asked anew.
    asking.server.behaviour = address(2);
    await vi.advanceTimersByTimeAsync(800);
    expect(upstream.figures.failures).toBe(figures.failures + 1);
    expect(upstream.isDown).toBe(false);
    expect(await waiting).toBe('192.0.2.2 since 0 s');
  });

  it('has failures of what is under way remembered no more', async () => {
    const held = Promise.withResolvers<void>();
    const asking = await Asking.of(async (query, overTcp, seen) => {
      await held.promise;
      return refuse(query, overTcp, seen);
    });
    const waiting = asking.ask();
    await vi.waitFor(() => expect(asking.times).toBe(1));
    asking.resolver.reset();
    held.resolve();
    expect(await waiting).toBe('failure 2');
    asking.server.behaviour = address(2);
    expect(await asking.ask()).toBe('192.0.2.2 since 0 s');
  });
});

describe('figures', () => {
  it('are told a second after something has changed in them, by itself, and not where nothing has', async () => {
    const server = await serve(address(1));
    const told: number[] = [];
    const onFigures = ({ upstreams }: ResolverFigures): void => {
      told.push(upstreams.reduce((sum, { queries }) => sum + queries, 0));
    };
    const asking = new Asking(server, {}, { onLoop: () => undefined, onFigures });
    await asking.ask();
    await asking.ask('other.example.com');
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(told).toEqual([2]);
    await vi.advanceTimersByTimeAsync(60_000);
    asking.known();
    expect(told).toEqual([2]);
    await asking.ask('third.example.com');
    await vi.advanceTimersByTimeAsync(1000);
    expect(told).toEqual([2, 3]);
  });
});

describe('whom to ask', () => {
  it('is said by the rules, also for names of one label', async () => {
    const [one, two, three] = [await serve(address(1)), await serve(address(2)), await serve(address(3))];
    const resolver = makeResolver([one], {
      rules: [{ suffix: 'corp.example', action: { kind: 'ask', upstreams: [two] } }],
      singleLabel: { kind: 'ask', upstreams: [three] },
    });
    const ask = (name: string): Promise<string> => {
      const wire = toWireName(name);
      const view = new NameView();
      view.read(wire, 0, wire.length);
      const group = resolver.groupOf(resolver.rules.find(wire, view)) ?? expect.unreachable();
      return new Promise((resolve) =>
        resolver.ask(makeQuestion(wire, 1, 0), group, Date.now(), (outcome) => resolve(textOf(outcome))),
      );
    };
    expect(await ask('www.example')).toMatch(/^192\.0\.2\.1/);
    expect(await ask('x.corp.example')).toMatch(/^192\.0\.2\.2/);
    expect(await ask('printer')).toMatch(/^192\.0\.2\.3/);
  });
});

describe('close', () => {
  it('ends what is in flight, its timers too, and tells nobody', async () => {
    const asking = await Asking.of(address(1));
    await asking.ask();
    pass(100);
    asking.server.behaviour = () => NEVER;
    void asking.ask().then(() => expect.unreachable());
    asking.resolver.close();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(10_000);
  });
});
