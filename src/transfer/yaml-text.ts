/**
 * Texts as YAML 1.2 scalars. What could be taken for anything but text is quoted as JSON does it, which YAML reads
 * alike; a plain scalar is a word that no version of YAML has another meaning for.
 */

const PLAIN = /^[A-Za-z_][A-Za-z0-9_./-]*$/;
const MEANINGS = /^(null|true|false|yes|no|on|off|y|n)$/i;
/** Such as AWS's 10.0.0.7: two points make it no number in any version. */
const PLAIN_ADDRESS = /^\d{1,3}(\.\d{1,3}){3}$/;
/** Printable to JSON, not to YAML (1.2.2 s5.1), or a line break to YAML 1.1. */
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;
/** Longer keys need the explicit form (YAML 1.2.2 s7.4: 1024 characters). */
const MAX_IMPLICIT_KEY = 1000;

export function yamlText(text: string): string {
  if (PLAIN_ADDRESS.test(text) || (PLAIN.test(text) && !MEANINGS.test(text))) return text;
  return JSON.stringify(text).replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A pair of a block mapping, on one line where YAML lets it be. */
export function yamlPair(indent: string, key: string, value: string): string {
  const text = yamlText(key);
  return text.length > MAX_IMPLICIT_KEY
    ? `${indent}? ${text}\n${indent}: ${yamlText(value)}\n`
    : `${indent}${text}: ${yamlText(value)}\n`;
}
