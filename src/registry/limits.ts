/** Lengths, ranges and patterns of names and values (Cloud Map: the service model's shapes). */

/** Lengths count Unicode characters (Smithy: the length trait), of which some are two units of a string. */
export function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

export const MAX_ID = 64;
export const MAX_ID_OR_ARN = 255;
export const MAX_DESCRIPTION = 1024;
export const MAX_TTL_SECONDS = 2_147_483_647;
export const MAX_FAILURE_THRESHOLD = 10;
export const MAX_RESOURCE_PATH = 255;
export const MAX_TAGS_PER_REQUEST = 200;
export const MAX_TAG_KEY = 128;
export const MAX_TAG_VALUE = 256;
export const MAX_RESOURCE_ARN = 1011;
export const MAX_SERVICE_ATTRIBUTE_KEY = 255;
export const MAX_SERVICE_ATTRIBUTE_VALUE = 1024;
export const MAX_SERVICE_ATTRIBUTES = 30;
/** Characters of all keys and values of one instance together. */
export const MAX_ATTRIBUTES_TEXT = 5000;

export const HTTP_NAMESPACE_NAME = /^(?!arn:)[!-~]{1,1024}$/;
export const PRIVATE_NAMESPACE_NAME = /^(?!arn:)[!-~]{1,253}$/;
export const PUBLIC_NAMESPACE_NAME =
  /^(?=.{1,253}$)([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;
export const NAMESPACE_NAME = /^[!-~]{1,1024}$/;
export const SERVICE_NAME =
  /^(?:(?=.{1,127}$)([a-zA-Z0-9_][a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_]|[a-zA-Z0-9])(\.([a-zA-Z0-9_][a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_]|[a-zA-Z0-9]))*|\.)$/;
export const INSTANCE_ID = /^[0-9a-zA-Z_/:.@-]{1,64}$/;
export const ATTRIBUTE_KEY = /^[!-~]{1,255}$/;
export const ATTRIBUTE_VALUE = /^(?=.{0,1024}$)([!-~][ \t!-~]*)?$/;
