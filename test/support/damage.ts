/** Ways to damage a SQLite file, by its format (https://www.sqlite.org/fileformat2.html). */
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const PAGE_SIZE_AT = 16;
const FIRST_TRUNK_AT = 32;
const HEADER_BYTES = 100;
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

/** Overwrites the last page of the type: the first one may be a root. @throws Error where there is none */
export function damagePage(path: string, type: keyof typeof PAGE_TYPES): void {
  const { file, pageSize } = read(path);
  const starts = Array.from({ length: file.length / pageSize - 1 }, (_, i) => (i + 1) * pageSize);
  const at = starts.findLast((start) => file[start] === PAGE_TYPES[type]);
  if (at === undefined) throw new Error(`${path} has no ${type} page`);
  overwrite(path, at, garbage(pageSize));
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
