/** Ways to damage a SQLite file, by its format (https://www.sqlite.org/fileformat2.html). */
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const PAGE_SIZE_AT = 16;
const FIRST_TRUNK_AT = 32;
const HEADER_BYTES = 100;
const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Of a table WITHOUT ROWID: b-trees of an index. */
const PAGE_TYPES = { interior: 0x02, leaf: 0x0a } as const;

export function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

/** Text that is neither zero nor anything that SQLite writes. */
export function garbage(length: number): Buffer {
  return Buffer.alloc(length, 'garbage ');
}

export function damageHeader(path: string): void {
  overwrite(path, 0, garbage(HEADER_BYTES));
}

/** Overwrites a page of the type that is in use, and that no log has anew. @throws Error where there is none */
export function damagePage(path: string, type: keyof typeof PAGE_TYPES): void {
  const { file, pageSize } = read(path);
  const others = new Set([...pagesInLog(`${path}-wal`, pageSize), ...freePages(file, pageSize)]);
  const numbers = Array.from({ length: file.length / pageSize - 1 }, (_, i) => i + 2);
  // The last one: the first may be a root.
  const page = numbers.findLast((number) => {
    return file[(number - 1) * pageSize] === PAGE_TYPES[type] && !others.has(number);
  });
  if (page === undefined) throw new Error(`${path} has no ${type} page`);
  overwrite(path, (page - 1) * pageSize, garbage(pageSize));
}

function pagesInLog(path: string, pageSize: number): Set<number> {
  const pages = new Set<number>();
  if (!existsSync(path)) return pages;
  const log = readFileSync(path);
  for (let at = LOG_HEADER_BYTES; at < log.length; at += FRAME_HEADER_BYTES + pageSize) pages.add(log.readUInt32BE(at));
  return pages;
}

/** Trunk pages have the number of the next one, how many others they name, and these. */
function* freePages(file: Buffer, pageSize: number): Generator<number> {
  for (let trunk = file.readUInt32BE(FIRST_TRUNK_AT); trunk !== 0; ) {
    yield trunk;
    const at = (trunk - 1) * pageSize;
    for (let n = file.readUInt32BE(at + 4); n > 0; n--) yield file.readUInt32BE(at + 4 + 4 * n);
    trunk = file.readUInt32BE(at);
  }
}

/** Overwrites the list of pages that are not in use. @throws Error where there is none */
export function damageFreelist(path: string): void {
  const { file, pageSize } = read(path);
  const trunk = file.readUInt32BE(FIRST_TRUNK_AT);
  if (trunk === 0) throw new Error(`${path} has no free pages`);
  overwrite(path, (trunk - 1) * pageSize, garbage(pageSize));
}

/** @param keep the part that is left */
export function cutOff(path: string, keep: number): void {
  truncateSync(path, Math.floor(statSync(path).size * keep));
}

export function cutOffPage(path: string): void {
  const { file, pageSize } = read(path);
  truncateSync(path, file.length - pageSize);
}

/** What a person with a SQLite shell can do; its log is gone afterwards. */
export function runSql(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

/** As a process that was killed leaves it: the file as it was, and what the statements have done in the log. */
export function runSqlIntoLog(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; ${sql}`);
  const files = [path, `${path}-wal`].map((file) => ({ file, content: readFileSync(file) }));
  database.close();
  for (const { file, content } of files) writeFileSync(file, content);
}

function read(path: string): { file: Buffer; pageSize: number } {
  const file = readFileSync(path);
  return { file, pageSize: file.readUInt16BE(PAGE_SIZE_AT) };
}
