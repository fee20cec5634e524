/** What of a file's life is a change, look by look. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf, FollowedFile, type Reading } from '../../src/declared/followed-file.ts';
import { makeFolder } from '../support/daemon.ts';

let folder: ReturnType<typeof makeFolder>;
let file: string;
let followed: FollowedFile;

beforeEach(() => {
  folder = makeFolder();
  file = join(folder.path, 'content.yaml');
  writeFileSync(file, 'one');
  followed = new FollowedFile(file, digestOf('one'));
});
afterEach(() => folder.remove());

/** What so many looks in a row say. */
async function look(times: number): Promise<(Reading | null)[]> {
  const said: (Reading | null)[] = [];
  for (let i = 0; i < times; i++) said.push(await followed.look());
  return said;
}

/** Writes the file with another time than it has, however coarse the file system's clock. */
function write(text: string): void {
  const timeOf = (): bigint => statSync(file, { bigint: true }).ctimeNs;
  const before = timeOf();
  do writeFileSync(file, text);
  while (timeOf() === before);
}

/** Puts the file's time back to what it was. */
function keepTime(change: () => void): void {
  const { atime, mtime } = statSync(file);
  change();
  utimesSync(file, atime, mtime);
}

describe('a look', () => {
  it('says nothing of a file that is as it was known, however often', async () => {
    expect(await look(4)).toEqual([null, null, null, null]);
  });

  it('says what was written before the first one', async () => {
    write('two');
    expect(await look(4)).toEqual([null, 'two', null, null]);
  });

  it('says what was written once it has stood there for another look, and once only', async () => {
    await look(2);
    write('two');
    expect(await look(4)).toEqual([null, 'two', null, null]);
    write('one');
    expect(await look(3)).toEqual([null, 'one', null]);
  });

  it('says nothing of the emptiness between truncating and writing', async () => {
    await look(2);
    truncateSync(file);
    expect(await look(1)).toEqual([null]);
    write('two');
    expect(await look(3)).toEqual([null, 'two', null]);
  });

  it('says nothing of a file that grows, until it has stopped', async () => {
    await look(2);
    for (const text of ['t', 'tw', 'two']) {
      write(text);
      expect(await look(1)).toEqual([null]);
    }
    expect(await look(2)).toEqual(['two', null]);
  });

  it('says that a file that stays empty is empty', async () => {
    await look(2);
    truncateSync(file);
    expect(await look(3)).toEqual([null, '', null]);
  });

  it.each<[string, () => void]>([
    ['another size with the same time', () => keepTime(() => write('other'))],
    ['another text with the same time and size', () => keepTime(() => write('eno'))],
    [
      'another file put in its place, which is older',
      () => {
        const next = join(folder.path, 'next');
        writeFileSync(next, 'next');
        utimesSync(next, 1, 1);
        renameSync(next, file);
      },
    ],
    [
      'another file put in its place, by way of none',
      () => {
        renameSync(file, join(folder.path, 'backup~'));
        writeFileSync(file, 'anew');
      },
    ],
  ])('notices %s', async (_, change) => {
    await look(2);
    change();
    const [first, second, third] = await look(3);
    expect([first, third]).toEqual([null, null]);
    expect(['other', 'eno', 'next', 'anew']).toContain(second);
  });

  it('follows the symbolic links by which Kubernetes swaps whole folders', async () => {
    const links = join(folder.path, 'mount');
    for (const version of ['1', '2']) {
      mkdirSync(join(folder.path, version));
      writeFileSync(join(folder.path, version, 'content.yaml'), `of ${version}`);
    }
    symlinkSync('1', links);
    followed = new FollowedFile(join(links, 'content.yaml'), digestOf('of 1'));
    expect(await look(3)).toEqual([null, null, null]);
    symlinkSync('2', `${links}-next`);
    renameSync(`${links}-next`, links);
    expect(await look(3)).toEqual([null, 'of 2', null]);
  });

  it.each<[string, () => void]>([
    ['written again with the same text', () => write('one')],
    ['touched', () => utimesSync(file, new Date(), new Date())],
    ['given other permissions', () => chmodSync(file, 0o644)],
    [
      'put in its own place',
      () => {
        writeFileSync(`${file}~`, 'one');
        renameSync(`${file}~`, file);
      },
    ],
  ])('says nothing of a file that was %s', async (_, change) => {
    await look(2);
    change();
    expect(await look(3)).toEqual([null, null, null]);
  });

  it('says once that the file is gone, and that it is back, though it is as it was', async () => {
    await look(2);
    rmSync(file);
    const [first, gone, ...more] = await look(4);
    expect([first, ...more]).toEqual([null, null, null]);
    expect(gone).toMatchObject({ code: 'ENOENT', message: expect.stringContaining(file) });
    writeFileSync(file, 'one');
    expect(await look(3)).toEqual([null, 'one', null]);
  });

  it('says nothing of a file that was away between two looks', async () => {
    await look(2);
    renameSync(file, `${file}~`);
    expect(await look(1)).toEqual([null]);
    renameSync(`${file}~`, file);
    expect(await look(3)).toEqual([null, null, null]);
  });

  it('says that something else stands there', async () => {
    await look(2);
    rmSync(file);
    mkdirSync(file);
    expect((await look(3)).map((reading) => (reading as NodeJS.ErrnoException | null)?.code)).toEqual([
      undefined,
      'EISDIR',
      undefined,
    ]);
  });
});

describe('a reading', () => {
  it('says what stands there, changed or not, and leaves nothing for the next look', async () => {
    expect(await followed.read()).toBe('one');
    write('two');
    expect(await followed.read()).toBe('two');
    expect(await followed.read()).toBe('two');
    expect(await look(3)).toEqual([null, null, null]);
  });

  it('does not hide what is written right behind it', async () => {
    await look(2);
    expect(await followed.read()).toBe('one');
    keepTime(() => write('two'));
    expect(await look(3)).toEqual([null, 'two', null]);
  });

  it('leaves a file that is empty just then to the look that finds it so again, or written', async () => {
    write('');
    expect(await followed.read()).toBeNull();
    write('two');
    expect(await look(3)).toEqual([null, 'two', null]);
    write('');
    expect(await followed.read()).toBeNull();
    expect(await look(3)).toEqual([null, '', null]);
  });

  it('says each time that the file is gone, and looks then say nothing', async () => {
    rmSync(file);
    for (let i = 0; i < 2; i++) expect(await followed.read()).toMatchObject({ code: 'ENOENT' });
    expect(await look(3)).toEqual([null, null, null]);
  });

  it('of a pipe says that there is none, and looks at it say nothing', async () => {
    rmSync(file);
    execFileSync('mkfifo', [file]);
    expect(await look(3)).toEqual([null, null, null]);
    expect(await followed.read()).toMatchObject({ message: expect.stringContaining('pipe') });
    expect(await look(3)).toEqual([null, null, null]);
  });
});
