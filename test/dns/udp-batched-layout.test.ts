/** What the batches say of Linux's structs and numbers, held against its own headers by each compiler there is. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AF_INET, AF_INET6, SOCKET_ADDRESS_BYTES } from '../../src/dns/socket-address.ts';
import { HEADER, LINUX, SYSTEM_CALLS, VECTOR } from '../../src/dns/udp-batched.ts';
import { makeFolder } from '../support/daemon.ts';
import { requireTool } from '../support/journey-tools.ts';
import { HAS_BATCHED } from '../support/udp-listeners.ts';

/** C expressions and what they are here. */
const EXPECTED: Readonly<Record<string, number>> = {
  'sizeof(struct mmsghdr)': HEADER.bytes,
  'offsetof(struct mmsghdr, msg_hdr.msg_name)': HEADER.name,
  'offsetof(struct mmsghdr, msg_hdr.msg_namelen)': HEADER.nameLength,
  'offsetof(struct mmsghdr, msg_hdr.msg_iov)': HEADER.vectors,
  'offsetof(struct mmsghdr, msg_hdr.msg_iovlen)': HEADER.vectorCount,
  'offsetof(struct mmsghdr, msg_len)': HEADER.length,
  'sizeof(struct iovec)': VECTOR.bytes,
  'offsetof(struct iovec, iov_base)': VECTOR.base,
  'offsetof(struct iovec, iov_len)': VECTOR.length,
  'sizeof(struct sockaddr_in6)': SOCKET_ADDRESS_BYTES,
  AF_INET,
  AF_INET6,
  SYS_recvmmsg: SYSTEM_CALLS[process.arch]?.recvmmsg ?? 0,
  SYS_sendmmsg: SYSTEM_CALLS[process.arch]?.sendmmsg ?? 0,
  ...LINUX,
};

let folder: ReturnType<typeof makeFolder>;
beforeAll(() => {
  folder = makeFolder();
});
afterAll(() => folder.remove());

it.for(['gcc', 'musl-gcc'] as const)('are as %s has them', (compiler, context) => {
  if (!HAS_BATCHED) return context.skip('there are no batches here');
  requireTool(context, compiler);
  const source = join(folder.path, 'layout.c');
  const program = join(folder.path, compiler);
  const headers = ['errno.h', 'netinet/in.h', 'stddef.h', 'stdio.h', 'sys/socket.h', 'sys/syscall.h', 'sys/uio.h'];
  const lines = Object.keys(EXPECTED).map((text) => `printf("%ld\\n", (long)(${text}));`);
  writeFileSync(
    source,
    `#define _GNU_SOURCE\n${headers.map((name) => `#include <${name}>\n`).join('')}int main(void) {\n${lines.join('\n')}\n}\n`,
  );
  const compiled = spawnSync(compiler, ['-o', program, source], { encoding: 'utf8' });
  expect(compiled.stderr).toBe('');
  const values = spawnSync(program, { encoding: 'utf8' }).stdout.trim().split('\n').map(Number);
  expect(Object.fromEntries(Object.keys(EXPECTED).map((text, i) => [text, values[i]]))).toEqual(EXPECTED);
});
