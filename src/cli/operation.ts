/** Operations that a call has begun, followed to their end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from './api-client.ts';
import { CommandError } from './command.ts';

/** Most have ended when the call returns; those of CLOUDMAPD_OPERATION_DELAY_MS take as long as that says. */
const FIRST_DELAY_MS = 20;
const MOST_DELAY_MS = 500;

interface Operation {
  readonly Status: string;
  readonly ErrorCode?: string;
  readonly ErrorMessage?: string;
}

/**
 * @param timeout as it was given, for the message
 * @returns its status: SUCCESS
 * @throws CommandError where it fails, or has not ended in time; what the calls throw
 */
export async function awaitOperation(api: ApiClient, id: string, timeoutMs: number, timeout: string): Promise<string> {
  const deadlineMs = performance.now() + timeoutMs;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(2 * delayMs, MOST_DELAY_MS)) {
    const { Operation: operation } = await api.call<{ Operation: Operation }>('GetOperation', { OperationId: id });
    const { Status, ErrorCode, ErrorMessage } = operation;
    if (Status === 'FAIL') throw new CommandError(`operation ${id} failed: ${ErrorCode}: ${ErrorMessage}`);
    if (Status === 'SUCCESS') return Status;
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) throw new CommandError(`operation ${id} is ${Status} yet, and goes on (waited ${timeout})`);
    await sleep(Math.min(delayMs, leftMs));
  }
}
