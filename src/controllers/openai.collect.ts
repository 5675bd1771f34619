import type { WholeAnswer } from '../schemas/openai.views.ts';
import type { RoutedPart } from '../services/llm/index.ts';

/** A tool call while its fragments come in. */
interface ToolCall {
  readonly index: number;
  id: string;
  name: string;
  arguments: string;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
const textIn = (value: unknown, name: string): string => {
  const field = isRecord(value) ? value[name] : undefined;
  return typeof field === 'string' ? field : '';
};

/** Puts tool calls together from the fragments that a stream has of them: `index` says which one goes on. */
const createToolCalls = () => {
  const calls = new Map<number, ToolCall>();

  const add = (fragment: unknown): void => {
    const index = isRecord(fragment) && typeof fragment.index === 'number' ? fragment.index : 0;
    const call = calls.get(index) ?? { index, id: '', name: '', arguments: '' };
    const told = isRecord(fragment) ? fragment.function : null;
    call.id ||= textIn(fragment, 'id');
    call.name ||= textIn(told, 'name');
    call.arguments += textIn(told, 'arguments');
    calls.set(index, call);
  };

  return {
    add: (fragments: readonly unknown[]): void => fragments.forEach(add),
    whole: (): readonly unknown[] =>
      [...calls.values()]
        .sort((a, b) => a.index - b.index)
        .map((call) => ({
          id: call.id,
          type: 'function',
          function: { name: call.name, arguments: call.arguments },
        })),
  };
};

/** Collects the parts of an answer that is sent in one piece. */
export const createCollector = () => {
  const toolCalls = createToolCalls();
  let text = '';
  let reasoning = '';
  let usage: WholeAnswer['usage'] = null;
  let finishReason: WholeAnswer['finishReason'] = 'stop';

  const add = (part: RoutedPart): void => {
    switch (part.type) {
      case 'delta':
        text += part.text;
        break;
      case 'reasoning':
        reasoning += part.text;
        break;
      case 'tool_calls':
        toolCalls.add(part.calls);
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
  };

  return {
    add,
    whole: (model: string): WholeAnswer => ({
      model,
      text,
      reasoning,
      toolCalls: toolCalls.whole(),
      finishReason,
      usage,
    }),
  };
};
