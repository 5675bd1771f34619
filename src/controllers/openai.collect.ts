import type { WholeAnswer } from '../schemas/openai.views.ts';
import type { RoutedPart } from '../services/llm/index.ts';
import { createDetails, createToolCalls } from './openai.pieces.ts';

/**
 * Lists by name, each as long as all pieces of that name together; what is no list is left out. Pieces are added to the end and never
 * copied: log probabilities come with every token.
 */
const createLists = () => {
  const lists = new Map<string, unknown[]>();
  return {
    add: (pieces: Readonly<Record<string, unknown>>): void => {
      for (const [name, piece] of Object.entries(pieces)) {
        if (!Array.isArray(piece)) continue;
        const items: readonly unknown[] = piece;
        const list = lists.get(name) ?? [];
        for (const item of items) list.push(item);
        lists.set(name, list);
      }
    },
    whole: (): Readonly<Record<string, readonly unknown[]>> => Object.fromEntries(lists),
  };
};

/** What one model says, put together. */
const createMessage = () => {
  const toolCalls = createToolCalls();
  const details = createDetails();
  const texts = { delta: '', refusal: '', reasoning: '' };
  const extra = createLists();
  const logprobs = createLists();
  let hasLogprobs = false;
  let usage: WholeAnswer['usage'] = null;
  let finishReason: WholeAnswer['finishReason'] = 'stop';

  const addExtra = (part: Extract<RoutedPart, { type: 'extra' }>): void => {
    extra.add(part.delta);
    if (part.logprobs) logprobs.add(part.logprobs);
    hasLogprobs ||= part.logprobs !== null;
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
      extra: extra.whole(),
      logprobs: hasLogprobs ? logprobs.whole() : null,
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
