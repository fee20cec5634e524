/** Actions on operations (Cloud Map API: section "operations"). */
import { z } from 'zod';
import { invalidInput, ServiceError } from '../../registry/errors.ts';
import { idFrom } from '../../registry/ids.ts';
import { OPERATION_TYPES, type Operation } from '../../registry/model.ts';
import { type Action, action } from '../action.ts';
import { compileFilters, type FilterRule, filterList, textFilter } from '../filters.ts';
import { pageInput, pageOf } from '../page.ts';
import { operationShape, ownerAccount } from '../shapes.ts';

/** Start and end, epoch seconds with fraction. */
const updateDateFilter: FilterRule<Operation> = {
  conditions: ['BETWEEN'],
  matches: ({ updatedAt }, value) => {
    const [start, end] = value.split(' ').map(Number) as [number, number];
    if (Number.isNaN(start) || Number.isNaN(end)) throw invalidInput('The filter UPDATE_DATE takes two Unix times.');
    return updatedAt >= start * 1000 && updatedAt <= end * 1000;
  },
};

/** The prose of the API says SUCCEED where its enum says SUCCESS; both are taken. */
const STATUSES = ['SUBMITTED', 'PENDING', 'SUCCESS', 'SUCCEED', 'FAIL'];
const statusFilter: FilterRule<Operation> = {
  conditions: ['EQ', 'IN'],
  values: STATUSES,
  matches: ({ status }, value) => status === (value === 'SUCCEED' ? 'SUCCESS' : value),
};

export const operationActions: Readonly<Record<string, Action>> = {
  GetOperation: action(
    z.object({ OperationId: z.string().max(255), OwnerAccount: ownerAccount.optional() }),
    (input, registry) => {
      const isOurs = input.OwnerAccount === undefined || input.OwnerAccount === registry.options.accountId;
      const operation = isOurs ? registry.state.operation(input.OperationId) : undefined;
      if (operation === undefined) {
        throw new ServiceError('OperationNotFound', `No operation has the id "${input.OperationId}".`);
      }
      return { Operation: operationShape(operation, registry) };
    },
  ),

  ListOperations: action(z.object({ Filters: filterList, ...pageInput }), (input, registry) => {
    const passes = compileFilters<Operation>(input.Filters, {
      NAMESPACE_ID: {
        conditions: ['EQ'],
        matches: ({ targets }, value) => targets.NAMESPACE === idFrom(registry.options, 'namespace', value),
      },
      SERVICE_ID: {
        conditions: ['EQ'],
        matches: ({ targets }, value) => targets.SERVICE === idFrom(registry.options, 'service', value),
      },
      STATUS: statusFilter,
      TYPE: textFilter(['EQ', 'IN'], ({ type }) => type, OPERATION_TYPES),
      UPDATE_DATE: updateDateFilter,
    });
    const operations = registry.state.operations().filter(passes);
    const { items, ...next } = pageOf(operations, ({ id }) => id, input, 'ListOperations');
    return { Operations: items.map(({ id, status }) => ({ Id: id, Status: status })), ...next };
  }),
};
