import { LRUCache } from 'lru-cache';
import type { ContextMessage } from './window.ts';

/** The newest part of a chat's branch, oldest first, and whether it goes back to the branch's root. */
export interface CachedBranch {
  readonly messages: readonly ContextMessage[];
  readonly reachesRoot: boolean;
}

export interface ContextCache {
  get(chatId: string): CachedBranch | undefined;
  set(chatId: string, branch: CachedBranch): void;
  delete(chatId: string): void;
  bytes(): number;
  chats(): number;
}

/** Objects, strings' headers and the map's entry, by V8's layout: a round figure on the safe side. */
const MESSAGE_OVERHEAD_BYTES = 300;

const sizeOf = (branch: CachedBranch): number =>
  branch.messages.reduce(
    (sum, message) => sum + message.content.length * 2 + MESSAGE_OVERHEAD_BYTES,
    MESSAGE_OVERHEAD_BYTES,
  );

/** Recent chats' branches, bounded in bytes; the least recently used chat goes first. */
export const createContextCache = (maxBytes: number): ContextCache => {
  const cache = new LRUCache<string, CachedBranch>({ maxSize: maxBytes, sizeCalculation: sizeOf });
  return {
    get: (chatId) => cache.get(chatId),
    set: (chatId, branch) => void cache.set(chatId, branch),
    delete: (chatId) => void cache.delete(chatId),
    bytes: () => cache.calculatedSize,
    chats: () => cache.size,
  };
};
