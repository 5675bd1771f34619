import { newId } from '../../src/lib/ids.ts';
import type { Turn } from '../../src/models/entities.ts';
import type { Stores } from '../../src/models/stores.ts';
import { fingerprint } from '../../src/services/chat/fingerprint.ts';

export interface LeftBehind {
  readonly clientMessageId: string;
  readonly turn: Turn | null;
}

/** A turn in a new chat as a node stored it that died before it asked a model; its lease may not have ended yet. */
export const leaveTurn = async (
  stores: Stores,
  ownerId: string,
  { content, leaseUntil }: { readonly content: string; readonly leaseUntil: Date },
): Promise<LeftBehind> => {
  const clientMessageId = newId();
  const { turn } = await stores.messages.appendTurn({
    ownerId,
    createdBy: ownerId,
    clientMessageId,
    fingerprint: fingerprint([content, null, []]),
    chatId: newId(),
    newChat: { title: content, model: null, systemPrompt: null },
    parentId: undefined,
    userMessage: { id: newId(), content },
    reply: { id: newId(), model: 'sim/echo' },
    lease: { nodeId: 'dead', until: leaseUntil },
    maxUnfinished: 0,
    preview: content,
    at: new Date(),
  });
  return { clientMessageId, turn };
};
