/** The errors that the API's callers see (Cloud Map: common and per-operation errors). */

export type ErrorName =
  | 'InvalidInput'
  | 'NamespaceNotFound'
  | 'ServiceNotFound'
  | 'InstanceNotFound'
  | 'OperationNotFound'
  | 'NamespaceAlreadyExists'
  | 'ServiceAlreadyExists'
  | 'DuplicateRequest'
  | 'ResourceInUse'
  | 'ResourceLimitExceeded'
  | 'RequestLimitExceeded'
  | 'ServiceAttributesLimitExceededException'
  | 'CustomHealthNotFound'
  | 'ResourceNotFoundException'
  | 'TooManyTagsException';

/** `members` are the error's further wire members, such as DuplicateOperationId. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorName;
  readonly members: Readonly<Record<string, string>>;

  constructor(code: ErrorName, message: string, members: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.members = members;
  }
}

export function invalidInput(message: string): ServiceError {
  return new ServiceError('InvalidInput', message);
}
