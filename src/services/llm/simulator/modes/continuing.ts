import { restOf, type Continuation } from '../continuation.ts';
import { countedText } from '../text.ts';
import { answer, close, DEFAULT_WORDS, errorBody, type ModeTable, type Play } from './mode.ts';

const REFUSAL = 'I’m sorry, but I can’t continue that text. How else can I help?';

/** Answers `words:N`, and goes on in its own way when it is asked to. */
const continuingBy =
  (goOn: (text: string, continuation: Continuation) => string): Play =>
  async (exchange, argument) => {
    const text = countedText(argument.count(DEFAULT_WORDS));
    const { continuation } = exchange.request;
    exchange.open();
    await exchange.say(continuation === null ? text : goOn(text, continuation));
    await close(exchange);
  };

const withOtherSpaces = (text: string): string => text.replace(/\s+/g, '\n\n  ');

/** Answers to somebody who asks to go on with a partial answer: all others repeat the anchor and go on. */
export const CONTINUING: ModeTable = {
  noprefill: {
    about: 'as `words:N`; an assistant’s message as the last one is refused with 400',
    takes: 'N',
    play: (e, argument) =>
      e.request.lastRole === 'assistant'
        ? e.json(400, errorBody(400, 'invalid_request', 'This model does not support assistant message prefill.'))
        : answer(e, countedText(argument.count(DEFAULT_WORDS))),
  },
  'continue-no-anchor': {
    about: 'as `words:N`; goes on without repeating the anchor',
    takes: 'N',
    play: continuingBy(restOf),
  },
  'continue-whitespace': {
    about: 'as `words:N`; repeats the anchor with other white space',
    takes: 'N',
    play: continuingBy((text, continuation) => withOtherSpaces(continuation.anchor) + restOf(text, continuation)),
  },
  'refuse-continue': {
    about: 'as `words:N`; apologises instead of going on',
    takes: 'N',
    play: continuingBy(() => REFUSAL),
  },
};
