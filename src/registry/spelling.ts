/** Whether anything can be called so: what cannot is a mistake of whoever typed it, whatever is registered. */
import { HTTP_NAMESPACE_NAME, INSTANCE_ID, SERVICE_NAME } from './limits.ts';

const NAMESPACE_ARN = /^arn:[!-~]*:namespace\/[!-~]+$/;
const SERVICE_ARN = /^arn:[!-~]*:service\/[!-~]+$/;

/** @param text a name, HttpName, id or ARN: an HTTP namespace may be called almost anything (Cloud Map: CreateHttpNamespace) */
export function mayBeNamespace(text: string): boolean {
  return HTTP_NAMESPACE_NAME.test(text) || NAMESPACE_ARN.test(text);
}

/** @param text a name, id or ARN */
export function mayBeService(text: string): boolean {
  return SERVICE_NAME.test(text) || SERVICE_ARN.test(text);
}

/** @param text an id */
export function mayBeInstance(text: string): boolean {
  return INSTANCE_ID.test(text);
}
