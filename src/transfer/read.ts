/** JSON as it comes, member by member and record by record: no more of its text is held than one record's. */
import { Outline } from './outline.ts';
import { LISTS, type List, notAnObject, type Reader } from './reader.ts';
import { formatPath, ImportError } from './report.ts';

/** @throws ImportError where it is no JSON, or no object; what the reader throws */
export async function readJson(chunks: AsyncIterable<string | Uint8Array>, reader: Reader): Promise<void> {
  // Loaded with the first import: no start needs it.
  const { JSONParser, TokenType } = await import('@streamparser/json');
  const parser = new JSONParser({ paths: ['$.*', ...LISTS.map((list) => `$.${list}.*`)] });
  keepByteOrderMarks(parser);
  const outline = new Outline(reader);
  let last = '';
  let unfinished = 0;
  let problem: unknown = null;
  let current: string | Uint8Array = '';
  let lines = 1;
  // What is thrown in these would be taken for the parser's own.
  const unlessWrong = (run: () => void): void => {
    if (problem !== null) return;
    try {
      run();
    } catch (error) {
      problem = error;
    }
  };
  parser.onToken = ({ token, value }) => {
    unlessWrong(() => {
      if (token === TokenType.STRING) outline.text(value as string);
      else if (token === TokenType.COMMA) outline.comma();
      else if (token === TokenType.LEFT_BRACE) outline.open(true);
      else if (token === TokenType.LEFT_BRACKET) outline.open(false);
      else if (token === TokenType.RIGHT_BRACE || token === TokenType.RIGHT_BRACKET) outline.close();
      else if (token !== TokenType.COLON) outline.scalar(token === TokenType.NULL);
    });
    // The parser reads no further then.
    if (problem !== null) throw problem;
  };
  parser.onValue = ({ value, key, parent, stack }) => {
    unfinished = 0;
    unlessWrong(() => {
      if (stack.length === 1) {
        reader.member(key as string, value);
        last = key as string;
      } else if (Array.isArray(parent)) {
        const list = stack[1]?.key as List;
        reader.record(list, Number(key), value);
        // The list need not be kept as well; the parser counts by itself.
        parent.length = 0;
        last = formatPath([list, Number(key)]);
      }
    });
  };
  parser.onError = ({ message }) => {
    const [, what = message, offset] = UNEXPECTED.exec(message) ?? [];
    const line = offset === undefined ? '' : `line ${lines + newlinesIn(current, Number(offset))}: `;
    const place = last === '' ? '' : `, behind ${last}`;
    const told = ENDED.test(message) ? 'it ends too early' : what.replace(/\s+/g, ' ');
    problem ??= new ImportError(null, `the document is no JSON${place}: ${line}${told}`);
  };
  let bytes = 0;
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue;
    unfinished += chunk.length;
    current = chunk;
    parser.write(chunk);
    lines += newlinesIn(chunk, chunk.length);
    bytes += chunk.length;
    if (problem === null) reader.progress(bytes, unfinished);
    if (problem !== null) throw problem;
  }
  if (!parser.isEnded) parser.end();
  if (problem !== null) throw problem;
}

/** The parser's own decoder takes U+FEFF away wherever it begins what is decoded: a string, or a part of one. */
function keepByteOrderMarks(parser: object): void {
  const { tokenizer } = parser as { tokenizer: { bufferedString: { decoder: TextDecoder } } };
  tokenizer.bufferedString.decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
}

/** As the parser says it, of the chunk that it was given. */
const UNEXPECTED = /^(.*?) at (?:chunk )?position "(\d+)"/s;
const ENDED = /ended in mid/;
const NEWLINE = 0x0a;

function newlinesIn(text: string | Uint8Array, end: number): number {
  let count = 0;
  for (let at = find(text, 0); at >= 0 && at < end; at = find(text, at + 1)) count++;
  return count;
}

function find(text: string | Uint8Array, from: number): number {
  return typeof text === 'string' ? text.indexOf('\n', from) : text.indexOf(NEWLINE, from);
}

/** @param tree what has been parsed already; @throws as `readJson` */
export function readTree(tree: unknown, reader: Reader): void {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) throw notAnObject();
  for (const [key, value] of Object.entries(tree)) {
    reader.key(key);
    const list = LISTS.find((each) => each === key);
    if (list === undefined || !Array.isArray(value)) {
      reader.member(key, value);
      continue;
    }
    for (const [index, record] of value.entries()) reader.record(list, index, record);
    reader.member(key, []);
  }
}
