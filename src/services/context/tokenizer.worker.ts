import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';

/** Tokens of each text. Text that looks like a special token is counted as the text it is. */
export default (texts: readonly string[]): number[] =>
  texts.map((text) => countTokens(text, { allowedSpecial: new Set(), disallowedSpecial: new Set() }));
