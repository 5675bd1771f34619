import { parse } from 'secure-json-parse';
import { AppError } from './errors.ts';

const MAX_DEPTH = 32;

/** How deep brackets nest, without parsing: a bomb of brackets must not reach the parser. Brackets in strings do not count. */
const nesting = (json: string): number => {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < json.length; index += 1) {
    const char = json[index];
    if (inString) {
      if (char === '\\') index += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') deepest = Math.max(deepest, (depth += 1));
    else if (char === '}' || char === ']') depth -= 1;
  }
  return deepest;
};

/**
 * Parses a JSON text from a client.
 * @throws AppError `MALFORMED_JSON`: not UTF-8, not JSON, nested over 32 deep, or with a key that could reach a prototype
 */
export const parseJson = (bytes: Uint8Array): unknown => {
  try {
    const json = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (nesting(json) > MAX_DEPTH) throw new Error(`nested deeper than ${String(MAX_DEPTH)}`);
    return parse(json, null, { protoAction: 'error', constructorAction: 'error' });
  } catch (error) {
    throw new AppError('MALFORMED_JSON', { cause: error });
  }
};
