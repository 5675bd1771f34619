import { AppError } from '../../lib/errors.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Chat, Message } from '../../models/entities.ts';
import type { MessageStore } from '../../models/stores.ts';
import type { LlmMessage } from '../llm/provider.ts';
import { createContextCache, type CachedBranch } from './contextCache.ts';
import type { Tokenizer } from './tokenizer.ts';
import { chooseWindow, MESSAGE_OVERHEAD_TOKENS, mostTokens, type ContextMessage } from './window.ts';

export interface ContextOptions {
  readonly messages: Pick<MessageStore, 'listBranch'>;
  readonly tokenizer: Tokenizer;
  readonly metrics: Metrics;
  readonly limits: { readonly maxMessages: number; readonly maxTokens: number; readonly cacheBytes: number };
  /** Sent when the chat has no prompt of its own. */
  readonly systemPrompt: string;
}

/** What a model is shown of a chat. Nobody else knows that there is a cache behind it. */
export interface ContextService {
  /**
   * The messages for a model: the system prompt, then the last whole turns up to `question`, within both limits.
   * @throws AppError `CONTEXT_TOO_LONG` when system prompt and question alone do not fit
   */
  build(chat: Chat, question: Message): Promise<LlmMessage[]>;
  /**
   * Refuses a question that can never fit, before it is stored. Without a prompt given the common one is reckoned with; a
   * chat's own longer one is found out by `build`.
   * @throws AppError `CONTEXT_TOO_LONG`
   */
  checkFits(systemPrompt: string | null, content: string): Promise<void>;
  /** Tells of a message that was just stored: a reply that is final. */
  remember(message: Message): void;
  forget(chatId: string): void;
  /** What the cache holds, for operators. */
  stats(): { readonly bytes: number; readonly chats: number };
}

const toContextMessage = (message: Message): ContextMessage => ({
  id: message.id,
  parentId: message.parentId,
  role: message.role,
  content: message.content,
  tokens: null,
});

const tooLong = (maxTokens: number): AppError =>
  new AppError('CONTEXT_TOO_LONG', {
    detail: `System prompt and message together may have ${String(maxTokens)} tokens and have more`,
  });

/** The branch with `message` as its new end, or null when the branch does not hold its parent. */
const extend = (branch: CachedBranch | undefined, message: ContextMessage): CachedBranch | null => {
  if (message.parentId === null) return { messages: [message], reachesRoot: true };
  if (!branch) return null;
  const known = branch.messages.findIndex((item) => item.id === message.id);
  if (known >= 0) return { ...branch, messages: branch.messages.slice(0, known + 1) };
  const parent = branch.messages.findIndex((item) => item.id === message.parentId);
  return parent < 0 ? null : { ...branch, messages: [...branch.messages.slice(0, parent + 1), message] };
};

export const createContextService = (options: ContextOptions): ContextService => {
  const { messages, tokenizer, metrics, limits } = options;
  const cache = createContextCache(limits.cacheBytes);

  /** A branch that is long enough to fill the window, or ends at the root. */
  const isLongEnough = (branch: CachedBranch): boolean =>
    branch.reachesRoot || branch.messages.length >= limits.maxMessages;

  const load = async (question: Message): Promise<CachedBranch> => {
    metrics.contextCache('miss');
    const newestFirst = await messages.listBranch(question.ownerId, question.chatId, question.id, limits.maxMessages);
    const branch = newestFirst.reverse().map(toContextMessage);
    return { messages: branch, reachesRoot: branch[0]?.parentId === null };
  };

  const branchTo = async (question: Message): Promise<CachedBranch> => {
    const extended = extend(cache.get(question.chatId), toContextMessage(question));
    if (!extended || !isLongEnough(extended)) return load(question);
    metrics.contextCache('hit');
    return extended;
  };

  /** Counts what is not counted yet; the counts stay with the cached messages. */
  const withTokens = async (branch: readonly ContextMessage[]): Promise<ContextMessage[]> => {
    const uncounted = branch.filter((message) => message.tokens === null);
    if (uncounted.length === 0) return [...branch];
    const counts = await tokenizer.count(uncounted.map((message) => message.content));
    const byId = new Map(uncounted.map((message, index) => [message.id, counts[index] ?? 0]));
    return branch.map((message) => {
      const counted = byId.get(message.id);
      return counted === undefined ? message : { ...message, tokens: counted + MESSAGE_OVERHEAD_TOKENS };
    });
  };

  const tokensOf = async (content: string): Promise<number> => {
    const [count] = await tokenizer.count([content]);
    return (count ?? 0) + MESSAGE_OVERHEAD_TOKENS;
  };

  const checkFits = async (systemPrompt: string | null, content: string): Promise<void> => {
    const prompt = systemPrompt ?? options.systemPrompt;
    if (mostTokens(prompt) + mostTokens(content) <= limits.maxTokens) return;
    const tokens = (await tokensOf(prompt)) + (await tokensOf(content));
    if (tokens > limits.maxTokens) throw tooLong(limits.maxTokens);
  };

  /** Keeps a little more than a window, so that the cache does not grow with the chat. */
  const keep = (chatId: string, branch: CachedBranch): void => {
    const excess = branch.messages.length - limits.maxMessages * 2;
    cache.set(chatId, excess > 0 ? { messages: branch.messages.slice(excess), reachesRoot: false } : branch);
  };

  return {
    checkFits,
    build: async (chat, question) => {
      const prompt = chat.systemPrompt ?? options.systemPrompt;
      const branch = await branchTo(question);
      const recent = branch.messages.slice(-limits.maxMessages);
      const most = recent.reduce((sum, message) => sum + mostTokens(message.content), mostTokens(prompt));
      const needsCount = most > limits.maxTokens;
      const counted = needsCount ? await withTokens(recent) : recent;
      const kept = needsCount ? [...branch.messages.slice(0, -recent.length), ...counted] : branch.messages;
      keep(chat.id, { ...branch, messages: kept });
      const maxTokens = limits.maxTokens - (needsCount ? await tokensOf(prompt) : mostTokens(prompt));
      if ((counted.at(-1)?.tokens ?? 0) > maxTokens) throw tooLong(limits.maxTokens);
      const window = chooseWindow(counted, (message) => message.tokens ?? mostTokens(message.content), {
        maxMessages: limits.maxMessages,
        maxTokens,
      });
      return [
        { role: 'system', content: prompt },
        ...window.filter((message) => message.content !== '').map(({ role, content }) => ({ role, content })),
      ];
    },
    remember: (message) => {
      const branch = cache.get(message.chatId);
      if (branch?.messages.at(-1)?.id !== message.parentId) return;
      const extended = extend(branch, toContextMessage(message));
      if (extended) keep(message.chatId, extended);
    },
    forget: (chatId) => cache.delete(chatId),
    stats: () => ({ bytes: cache.bytes(), chats: cache.chats() }),
  };
};
