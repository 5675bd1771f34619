import { maskSecrets } from './mask.ts';

export interface SimulatedMessage {
  readonly role: string;
  readonly content: string;
}

const MAX_EXCERPT_CHARS = 60;
const MASKED_CHARS = 1000;

const lastUserText = (messages: readonly SimulatedMessage[]): string =>
  messages.findLast(({ role }) => role === 'user')?.content ?? '';

/**
 * The beginning of what the user wrote, on one line and without secrets; whole characters only. Masking sees only as
 * much as it has to, since its patterns are not linear; a word cut there is dropped, as it may be half a secret.
 */
const excerptOf = (content: string): string => {
  const isLong = content.length > MASKED_CHARS;
  const line = maskSecrets(isLong ? content.slice(0, MASKED_CHARS).replace(/\S+$/, '') : content)
    .replace(/\s+/g, ' ')
    .trim();
  const characters = [...line];
  return characters.length > MAX_EXCERPT_CHARS ? `${characters.slice(0, MAX_EXCERPT_CHARS).join('')}…` : line;
};

const GREETING =
  'I am Parley’s built-in simulator, not a language model: your message was stored, and this reply is streamed, counted and kept exactly as a real one would be.';

const NEXT_STEPS = `To talk to real models, set a key and start again:

    OPENROUTER_API_KEY=<your key from https://openrouter.ai/keys> npm start

Any OpenAI-compatible endpoint does as well: OPENROUTER_BASE_URL=http://127.0.0.1:11434/v1 for Ollama, with its models in OPENROUTER_MODELS.

Meanwhile you can try every door with me: \`"stream": true\` in POST /api/chat/message gives server-sent events, and \`chat:send\` over Socket.IO answers with \`chat:delta\` events. All calls are described at /docs.`;

const SHORTER = `As before, this is the built-in simulator. Set OPENROUTER_API_KEY and start again to talk to real models; /docs has every call. I saw the whole conversation`;

const hasAnswered = (messages: readonly SimulatedMessage[]): boolean =>
  messages.some(({ role }) => role === 'assistant');

/** What the simulator says to a person: who it is, that the message arrived, and what to do next. */
export const newcomerText = (messages: readonly SimulatedMessage[]): string => {
  const excerpt = excerptOf(lastUserText(messages));
  const quoted = excerpt === '' ? '' : `You wrote: “${excerpt}”\n\n`;
  return hasAnswered(messages)
    ? `${quoted}${SHORTER}: ${String(messages.length)} messages.`
    : `${quoted}${GREETING}\n\n${NEXT_STEPS}`;
};

/** The last user message, unchanged: for tests, never for people. */
export const echoText = lastUserText;

/** `word1 word2 …`: a text whose completeness can be counted. */
export const countedText = (words: number): string =>
  Array.from({ length: words }, (_, index) => `word${String(index + 1)}`).join(' ');

/** Scripts, combining marks and joined emoji, for what cuts bytes and UTF-16 units in the wrong place. */
export const UNICODE_TEXT = 'Grüße, 世界! 👩‍👩‍👧‍👦 naïve 🏴󠁧󠁢󠁳󠁣󠁴󠁿 e\u0301 ∑ 🙂 done';

/** The pieces in which a text is streamed: words with the white space after them. */
export const splitWords = (text: string): string[] =>
  text.match(/\s*\S+\s*?(?=\s|$)|\s+$/g) ?? (text === '' ? [] : [text]);

/** UTF-16 units: a stand-in for a tokenizer, so that the books have numbers that can be checked. */
export const TOKEN_LENGTH = 4;

export const countTokens = (text: string): number => Math.ceil(text.length / TOKEN_LENGTH);
