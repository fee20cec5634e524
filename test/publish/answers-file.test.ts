import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { ANSWERS_FILE, AnswersFile } from '../../src/publish/answers-file.ts';
import type { Change } from '../../src/registry/model.ts';
import { choicesIn } from '../support/choices.ts';
import { Content, dropInstance, putInstance, putNamespace, putService } from '../support/content.ts';
import { makeFolder } from '../support/daemon.ts';
import { seededRandom } from '../support/registry.ts';

const PROPERTY_RUNS = Number(process.env.PROPERTY_RUNS ?? 1);
const SEED = Number(process.env.PROPERTY_SEED ?? 20_261_123);

let folder: ReturnType<typeof makeFolder>;
let given: unknown[];
const opened: AnswersFile[] = [];
beforeEach(() => {
  folder = makeFolder();
  given = [];
});
afterEach(() => {
  for (const file of opened.splice(0)) file.close();
  folder.remove();
});

const path = (): string => join(folder.path, ANSWERS_FILE);

function fileAt(version: () => string, rest: { basis?: unknown; minDeltaBytes?: number } = {}): AnswersFile {
  const file = new AnswersFile({
    dataDir: folder.path,
    basis: ['0.1.0', { hasPtr: false }],
    version,
    onGivenUp: (error) => given.push(error),
    ...rest,
  });
  opened.push(file);
  return file;
}

/** A content whose answers are kept as a daemon keeps them. */
class World {
  readonly content: Content;
  readonly file: AnswersFile;
  revision = 1;

  constructor(services = 3, options: { minDeltaBytes?: number } = {}) {
    const made = Array.from({ length: services }, (_, n) => putService({ id: `srv-${n}`, name: `s${n}` }));
    this.content = new Content([putNamespace(), ...made]);
    this.file = fileAt(() => this.version, options);
    this.file.renewFrom(() => this.content.snapshot());
  }

  get version(): string {
    return `session.${this.revision}`;
  }

  /** The snapshot's way to the threads. */
  fill(): void {
    for (const _ of this.file.keep(this.content.snapshot()));
  }

  register(service: number, n: number): void {
    this.#change(putInstance({ serviceId: `srv-${service}`, id: `i${n}`, ipv4: `10.${service}.${n >> 8}.${n & 255}` }));
  }

  deregister(service: number, n: number): void {
    this.#change(dropInstance(`i${n}`, `srv-${service}`));
  }

  /** A batch that changes nothing in DNS. */
  idle(): void {
    this.revision++;
    this.file.append(null);
  }

  #change(change: Change): void {
    this.revision++;
    this.content.change(change);
    this.file.append(this.content.delta);
  }
}

const everything = (zones: ZoneSet): unknown =>
  ['corp.internal', ...Array.from({ length: 6 }, (_, n) => `s${n}.corp.internal`)].map((name) =>
    (['A', 'SOA'] as const).map((type) => choicesIn(zones, name, type)),
  );

/** What a start with the store's content of that version answers; null: what the file has is not used. */
function kept(version: string, basis?: unknown): unknown {
  const file = fileAt(() => version, basis === undefined ? {} : { basis });
  const chunks = file.open();
  if (chunks === null) return null;
  const zones = new ZoneSet();
  for (const chunk of chunks()) zones.apply(chunk);
  file.close();
  expect(zones.isFilled).toBe(true);
  return everything(zones);
}

describe('a file of answers', () => {
  it('has what the threads were told: the snapshot, and each batch since', () => {
    const world = new World();
    world.fill();
    expect(kept(world.version)).toEqual(everything(world.content.zones));
    for (let n = 0; n < 40; n++) world.register(n % 2, n);
    for (let n = 0; n < 40; n += 3) world.deregister(n % 2, n);
    world.idle();
    expect(kept(world.version)).toEqual(everything(world.content.zones));
    expect(given).toEqual([]);
  });

  it('has the changes that come between the chunks of the snapshot', () => {
    const world = new World(2000);
    let chunks = 0;
    for (const _ of world.file.keep(world.content.snapshot())) world.register(chunks++ % 6, chunks);
    expect(chunks).toBeGreaterThan(1);
    expect(kept(world.version)).toEqual(everything(world.content.zones));
  });

  it('is gone on with by the next start', () => {
    const world = new World();
    world.fill();
    world.register(0, 1);
    world.file.close();
    const file = fileAt(() => world.version);
    expect(file.open()).not.toBeNull();
    world.revision++;
    world.content.change(putInstance({ serviceId: 'srv-1', id: 'later', ipv4: '10.9.9.9' }));
    file.append(world.content.delta);
    // There is one already, which need not be made anew.
    const { ino } = statSync(path());
    for (const _ of file.keep(world.content.snapshot()));
    expect(statSync(path()).ino).toBe(ino);
    expect(kept(world.version)).toEqual(everything(world.content.zones));
  });

  it('may be read twice, as for a thread that is lost before the registry is there', () => {
    const world = new World();
    world.fill();
    world.register(0, 1);
    const chunks = fileAt(() => world.version).open();
    for (let times = 0; times < 2; times++) {
      const zones = new ZoneSet();
      for (const chunk of chunks?.() ?? []) zones.apply(chunk);
      expect(everything(zones)).toEqual(everything(world.content.zones));
    }
  });

  it('is used for the content alone that it is of', () => {
    const world = new World();
    world.fill();
    for (let n = 0; n < 5; n++) world.register(0, n);
    for (let revision = 0; revision <= world.revision + 1; revision++) {
      const answers = kept(`session.${revision}`);
      expect(answers !== null).toBe(revision === world.revision);
    }
    expect(kept(`other.${world.revision}`)).toBeNull();
  });

  it('is used by what makes the same answers alone', () => {
    const world = new World();
    world.fill();
    expect(kept(world.version, ['0.1.0', { hasPtr: true }])).toBeNull();
    expect(kept(world.version, ['0.2.0', { hasPtr: false }])).toBeNull();
    expect(kept(world.version, ['0.1.0', { hasPtr: false }])).not.toBeNull();
  });

  it.each([
    ['is not there', () => rmSync(path())],
    ['is empty', () => writeFileSync(path(), '')],
    ['is of something else', () => writeFileSync(path(), 'This is no file of answers.\n'.repeat(100))],
    ['is zeros', () => writeFileSync(path(), Buffer.alloc(5000))],
    [
      'is a folder',
      () => {
        rmSync(path());
        mkdirSync(path());
      },
    ],
  ])('is done without where it %s', (_, spoil) => {
    const world = new World();
    world.fill();
    spoil();
    expect(kept(world.version)).toBeNull();
  });

  it('is not used where the snapshot did not come to its end', () => {
    const world = new World(2000);
    for (const _ of world.file.keep(world.content.snapshot())) break;
    expect(existsSync(path())).toBe(false);
    // Threads may be filled again, and then it is made.
    world.fill();
    expect(kept(world.version)).toEqual(everything(world.content.zones));
  });

  it('is taken up where a crash has left half a frame behind it', () => {
    const world = new World();
    world.fill();
    world.register(0, 1);
    const whole = readFileSync(path());
    writeFileSync(path(), Buffer.concat([whole, whole.subarray(-20)]));
    const file = fileAt(() => world.version);
    expect(file.open()).not.toBeNull();
    world.revision++;
    file.append(null);
    expect(kept(world.version)).toEqual(everything(world.content.zones));
  });

  it(`is right or not used, whatever single octet is damaged and wherever it ends (PROPERTY_SEED=${SEED})`, () => {
    const random = seededRandom(SEED);
    const world = new World();
    for (let n = 0; n < 40; n++) world.register(2, n);
    world.fill();
    for (let n = 0; n < 12; n++) world.register(n % 3, 50 + n);
    const whole = readFileSync(path());
    const right = everything(world.content.zones);
    let refused = 0;
    for (let run = 0; run < 300 * PROPERTY_RUNS; run++) {
      const at = random(whole.length);
      const damaged = run % 3 === 0 ? whole.subarray(0, at) : Buffer.from(whole);
      if (run % 3 !== 0) damaged[at] = (damaged[at] as number) ^ (1 + random(255));
      rmSync(path());
      writeFileSync(path(), damaged);
      const answers = kept(world.version);
      if (answers === null) refused++;
      else expect(answers).toEqual(right);
    }
    expect(refused).toBe(300 * PROPERTY_RUNS);
  });
});

describe('a file whose deltas outgrow it', () => {
  it('is made anew while changes come, and has what a snapshot would have', async () => {
    const world = new World(600, { minDeltaBytes: 2000 });
    world.fill();
    const inodes = new Set<number>();
    for (let n = 0; n < 1500; n++) {
      if (n % 5 === 4) world.deregister(n % 6, n - 6);
      else world.register(n % 6, n);
      inodes.add(statSync(path()).ino);
      // At any moment, also in the midst of it.
      if (n % 100 === 0) expect(kept(world.version)).toEqual(everything(world.content.zones));
      if (n % 3 === 0) await nextTurn();
    }
    expect(inodes.size).toBeGreaterThan(1);
    const fresh = new ZoneSet();
    for (const part of world.content.snapshot()) fresh.apply(part);
    expect(kept(world.version)).toEqual(everything(fresh));
    expect(given).toEqual([]);
  });
});

describe('a file that cannot be written', () => {
  it('is told once, and done without: the threads are filled all the same', () => {
    symlinkSync('/dev/full', `${path()}.new`);
    const world = new World();
    const zones = new ZoneSet();
    for (const chunk of world.file.keep(world.content.snapshot())) zones.apply(chunk);
    expect(everything(zones)).toEqual(everything(world.content.zones));
    for (let n = 0; n < 5; n++) world.register(0, n);
    expect(given).toMatchObject([{ code: 'ENOSPC' }]);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it('leaves nothing behind that a start could take for right', async () => {
    const world = new World(3, { minDeltaBytes: 500 });
    world.fill();
    symlinkSync('/dev/full', `${path()}.new`);
    for (let n = 0; given.length === 0; n++) {
      world.register(0, n % 200);
      await nextTurn();
    }
    expect(given).toMatchObject([{ code: 'ENOSPC' }]);
    expect(readdirSync(folder.path)).toEqual([]);
    expect(kept(world.version)).toBeNull();
  });

  it('is told where its folder is gone', () => {
    const world = new World();
    rmSync(folder.path, { recursive: true });
    world.fill();
    world.register(0, 1);
    expect(given).toMatchObject([{ code: 'ENOENT' }]);
  });
});
