import { expect, it } from 'vitest';
import type { Operation } from '../../src/registry/model.ts';
import { State } from '../../src/registry/state.ts';

const operation = (id: string, status: Operation['status']): Operation => ({
  id,
  type: 'CREATE_NAMESPACE',
  status,
  createdAt: 1,
  updatedAt: 1,
  targets: {},
  error: null,
  work: null,
  dueAt: 1,
  request: { key: 'request', digest: 'digest' },
});

it('a request is remembered by its latest operation, also when the one that failed is dropped', () => {
  const state = new State();
  state.apply({ kind: 'operation', id: 'failed', value: operation('failed', 'FAIL') });
  state.apply({ kind: 'operation', id: 'second', value: operation('second', 'SUCCESS') });
  state.apply({ kind: 'operation', id: 'failed', value: null });
  expect(state.operationByRequest('request')?.id).toBe('second');
});
