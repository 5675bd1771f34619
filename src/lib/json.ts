import { parse } from 'secure-json-parse';
import { AppError } from './errors.ts';

const MAX_DEPTH = 32;

const QUOTE = 34;
const BACKSLASH = 92;
const OPENING_BRACKET = 91;
const CLOSING_BRACKET = 93;
const OPENING_BRACE = 123;
const CLOSING_BRACE = 125;
const utf8 = new TextDecoder('utf-8', { fatal: true });

const isEscaped = (json: string, at: number): boolean => {
  let backslashes = 0;
  while (json.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes += 1;
  return backslashes % 2 === 1;
};

/** Where the string that begins at `from` ends; a picture is one string of megabytes, so it is skipped, not read. */
const endOfString = (json: string, from: number): number => {
  let at = json.indexOf('"', from + 1);
  while (at !== -1 && isEscaped(json, at)) at = json.indexOf('"', at + 1);
  return at === -1 ? json.length : at;
};

/** How deep brackets nest, without parsing: a bomb of brackets must not reach the parser. Brackets in strings do not count. */
const nesting = (json: string): number => {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < json.length; index += 1) {
    const code = json.charCodeAt(index);
    if (code === QUOTE) index = endOfString(json, index);
    else if (code === OPENING_BRACE || code === OPENING_BRACKET) deepest = Math.max(deepest, (depth += 1));
    else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) depth -= 1;
  }
  return deepest;
};

/**
 * Parses a JSON text from a client.
 * @throws AppError `MALFORMED_JSON`: not UTF-8, not JSON, nested over 32 deep, or with a key that could reach a prototype
 */
export const parseJson = (bytes: Uint8Array): unknown => {
  try {
    const json = utf8.decode(bytes);
    if (nesting(json) > MAX_DEPTH) throw new Error(`nested deeper than ${String(MAX_DEPTH)}`);
    return parse(json, null, { protoAction: 'error', constructorAction: 'error' });
  } catch (error) {
    throw new AppError('MALFORMED_JSON', { cause: error });
  }
};
