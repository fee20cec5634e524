/** Actions on operations (Cloud Map API: section "operations"). */
import { z } from 'zod';
import { invalidInput, ServiceError } from '../../registry/errors.ts';
import { idFrom } from '../../registry/ids.ts';
import { OPERATION_TYPES, type Operation } from '../../registry/model.ts';
import { type Action, action } from '../action.ts';
import { compileFilters, type FilterRule, filterList, textFilter } from '../filters.ts';
import { pageInput, pageOf } from '../page.ts';
import { operationShape, ownerAccount } from '../shapes.ts';
import { text } from '../text.ts';

/** Unix time in seconds; that fractions are allowed is our choice. */
const UNIX_TIME = /^\d+(\.\d+)?$/;

const updateDateFilter: FilterRule<Operation> = {
  conditions: ['BETWEEN'],
  predicate: (values) => {
    const unreadable = values.find((value) => !UNIX_TIME.test(value));
    if (unreadable !== undefined) {
      throw invalidInput(`The filter UPDATE_DATE takes two Unix times; "${unreadable}" is none.`);
    }
    const [start, end] = values.map((value) => Number(value) * 1000) as [number, number];
    return ({ updatedAt }) => updatedAt >= start && updatedAt <= end;
  },
};

const STATUSES = ['SUBMITTED', 'PENDING', 'SUCCESS', 'SUCCEED', 'FAIL'];

export const operationActions: Readonly<Record<string, Action>> = {
  GetOperation: action(
    z.object({ OperationId: text(255), OwnerAccount: ownerAccount.optional() }),
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
      NAMESPACE_ID: textFilter(
        ['EQ'],
        ({ targets }) => targets.NAMESPACE,
        undefined,
        (value) => idFrom(registry.options, 'namespace', value),
      ),
      SERVICE_ID: textFilter(
        ['EQ'],
        ({ targets }) => targets.SERVICE,
        undefined,
        (value) => idFrom(registry.options, 'service', value),
      ),
      // The prose of the API says SUCCEED where its enum says SUCCESS; both are taken.
      STATUS: textFilter(
        ['EQ', 'IN'],
        ({ status }) => status,
        STATUSES,
        (value) => (value === 'SUCCEED' ? 'SUCCESS' : value),
      ),
      TYPE: textFilter(['EQ', 'IN'], ({ type }) => type, OPERATION_TYPES),
      UPDATE_DATE: updateDateFilter,
    });
    const operations = registry.state.operations().filter(passes);
    const { items, ...next } = pageOf(operations, ({ id }) => id, input, 'ListOperations');
    return { Operations: items.map(({ id, status }) => ({ Id: id, Status: status })), ...next };
  }),
};
