import type { WholeAnswer } from '../schemas/openai.views.ts';
import type { RoutedPart } from '../services/llm/index.ts';
import { createDetails, createToolCalls } from './openai.pieces.ts';

type Lists = Readonly<Record<string, readonly unknown[]>>;

const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Lists of the same name one behind the other; what is no list is left out. */
const withLists = (held: Lists, more: Readonly<Record<string, unknown>>): Lists =>
  Object.fromEntries([
    ...Object.entries(held),
    ...Object.entries(more).flatMap(([name, value]) =>
      Array.isArray(value) ? [[name, [...(held[name] ?? []), ...listIn(value)]] as const] : [],
    ),
  ]);

/** What one model says, put together. */
const createMessage = () => {
  const toolCalls = createToolCalls();
  const details = createDetails();
  const texts = { delta: '', refusal: '', reasoning: '' };
  let extra: Lists = {};
  let logprobs: Lists | null = null;
  let usage: WholeAnswer['usage'] = null;
  let finishReason: WholeAnswer['finishReason'] = 'stop';

  const addExtra = (part: Extract<RoutedPart, { type: 'extra' }>): void => {
    extra = withLists(extra, part.delta);
    if (part.logprobs) logprobs = withLists(logprobs ?? {}, part.logprobs);
  };

  return {
    add: (part: RoutedPart): void => {
      if ('text' in part) texts[part.type] += part.text;
      switch (part.type) {
        case 'reasoning':
          details.add(part.details ?? []);
          break;
        case 'tool_calls':
          toolCalls.add(part.calls);
          break;
        case 'extra':
          addExtra(part);
          break;
        case 'usage':
          usage = part.usage;
          break;
        case 'finish':
          finishReason = part.reason;
          break;
        default:
          break;
      }
    },
    whole: (model: string): WholeAnswer => ({
      model,
      text: texts.delta,
      refusal: texts.refusal,
      reasoning: texts.reasoning,
      details: details.whole(),
      toolCalls: toolCalls.whole(),
      extra,
      logprobs,
      finishReason,
      usage,
    }),
  };
};

/** Collects the parts of an answer that is sent in one piece, and forgets those of a model that another has replaced. */
export const createCollector = () => {
  let message = createMessage();
  return {
    add: (part: RoutedPart): void => {
      if (part.type === 'restart') message = createMessage();
      else message.add(part);
    },
    whole: (model: string): WholeAnswer => message.whole(model),
  };
};
