/** The lines of an answer that goes on, each once it is whole. */

/** @throws what reading throws */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() as string;
    yield* lines.filter((line) => line !== '');
  }
}

/** Each line as it is shown, ended. @param head comes first, once there are lines to come */
export async function* shown(
  lines: AsyncIterable<string>,
  show: (line: string) => string,
  head?: string,
): AsyncGenerator<string> {
  if (head !== undefined) yield `${head}\n`;
  for await (const line of lines) yield `${show(line)}\n`;
}
