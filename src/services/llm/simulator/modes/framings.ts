import { endReason } from '../books.ts';
import type { Exchange } from '../exchange.ts';
import { countedText, UNICODE_TEXT } from '../text.ts';
import type { Framing } from '../wire.ts';
import { answer, close, COMMENT, DEFAULT_WORDS, tell, type ModeTable, type PlayedMode } from './mode.ts';

const dressed = (about: string, framing: Framing, text = UNICODE_TEXT): PlayedMode => ({
  about,
  framing,
  play: (exchange) => answer(exchange, text),
});

const DRIP_MS = 50;
const MIB = 1024 * 1024;

/** Two halves of each character outside the first plane, in chunks of their own. */
const halves = (text: string): string[] => text.match(/[\uD800-\uDBFF]|[\uDC00-\uDFFF]|[^\uD800-\uDFFF]+/g) ?? [];

/** Leaves a stream open; a plain answer has a length, and so an end. */
const linger = async (exchange: Exchange): Promise<void> => {
  if (exchange.request.stream) await exchange.stall();
  else exchange.end();
};

/** Good answers in unusual clothes. */
export const FRAMINGS: ModeTable = {
  comments: {
    about: 'keep-alive comments before and between the tokens',
    play: async (e) => {
      e.open();
      await e.write(COMMENT);
      await e.say('word1');
      await e.write(`${COMMENT}${COMMENT}`);
      await e.say(' word2');
      await close(e);
    },
  },
  crlf: dressed('lines end in CR LF', { lineEnd: '\r\n' }),
  'no-space': dressed('`data:{…}` without a space', { isSpaceless: true }),
  'multi-data-line': dressed('each event’s JSON over several `data:` lines', { isMultiLine: true }),
  'event-name': dressed('every event has a name (`event: message`)', { eventName: 'message' }),
  bom: dressed('a byte order mark before the first event', { hasByteOrderMark: true }),
  'no-done': {
    about: 'a whole answer that ends without `[DONE]`',
    play: async (e) => {
      e.open();
      await tell(e, countedText(DEFAULT_WORDS));
      await e.finish();
      await e.usage();
      e.end();
    },
  },
  'no-final-blank-line': {
    about: 'the last event, with the finish reason, ends without its blank line, and there is no `[DONE]`',
    play: async (e) => {
      e.open();
      await tell(e, countedText(DEFAULT_WORDS));
      await e.usage();
      const reason = endReason(e.tally);
      e.tally.finishReason = reason;
      const last = { id: 'gen-last', choices: [{ index: 0, delta: { content: '' }, finish_reason: reason }] };
      if (e.request.stream) await e.write(`data: ${JSON.stringify(last)}`);
      else await e.finish();
      e.end();
    },
  },
  'done-then-open-socket': {
    about: 'the connection stays open after `[DONE]`',
    play: async (e) => {
      e.open();
      await tell(e, countedText(DEFAULT_WORDS));
      await e.finish();
      await e.usage();
      await e.write('data: [DONE]\n\n');
      await linger(e);
    },
  },
  'done-then-late-end': {
    about: 'the answer ends so long after `[DONE]` (30 ms)',
    takes: 'duration',
    play: async (e, argument) => {
      e.open();
      await tell(e, countedText(DEFAULT_WORDS));
      await e.finish();
      await e.usage();
      await e.write('data: [DONE]\n\n');
      await e.wait(argument.ms(30));
      e.end();
    },
  },
  'finish-then-open-socket': {
    about: 'the connection stays open after the finish reason and the usage, without `[DONE]`',
    play: async (e) => {
      e.open();
      await tell(e, countedText(DEFAULT_WORDS));
      await e.finish();
      await e.usage();
      await linger(e);
    },
  },
  'done-glued-to-json': {
    about: 'the line `data: [DONE]` follows the last JSON without a blank line between',
    play: async (e) => {
      e.open();
      await tell(e, countedText(DEFAULT_WORDS));
      if (!e.request.stream) return close(e);
      await e.finish();
      await e.write(`data: ${JSON.stringify({ choices: [] })}\ndata: [DONE]\n\n`);
      e.end();
    },
  },
  'utf8-split': dressed('every byte is a packet of its own', { byteGapMs: 0 }),
  'surrogate-split': {
    about: 'the two UTF-16 halves of an emoji come in two chunks',
    play: async (e) => {
      e.open();
      for (const content of halves(UNICODE_TEXT)) await e.chunk({ delta: { role: 'assistant', content } });
      await close(e);
    },
  },
  coalesced: dressed('all in one write', { isCoalesced: true }, countedText(DEFAULT_WORDS)),
  'slow-drip': dressed('a byte every 50 ms', { byteGapMs: DRIP_MS }, 'word1 word2'),
  'huge-chunk': {
    about: 'one chunk of N MiB (1), whatever `max_tokens` says',
    takes: 'N',
    isUnlimited: true,
    play: async (e, argument) => {
      e.open();
      await e.chunk({ delta: { role: 'assistant', content: 'x'.repeat(Math.min(argument.count(1), 8) * MIB) } });
      await close(e);
    },
  },
  gzip: dressed('compressed, although nobody asked for it', { isGzipped: true }),
};
