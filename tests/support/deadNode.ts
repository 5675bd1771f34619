import { newId } from '../../src/lib/ids.ts';
import type { Turn } from '../../src/models/entities.ts';
import type { Stores } from '../../src/models/stores.ts';
import { fingerprint } from '../../src/services/chat/fingerprint.ts';
import { record } from './events.ts';
import { waitFor } from './waitFor.ts';
import type { TestUser } from './world.ts';

export interface LeftBehind {
  readonly clientMessageId: string;
  readonly turn: Turn | null;
}

/** The name in the leases that it left. */
export const DEAD_NODE = 'dead';

/**
 * Hears of replies that this node closes for a dead one. What waits for such an end waits for the event, which comes when all of
 * it is stored: on MongoDB the end can be read before that, and a retry in between is told of it.
 */
export const hearOfEnds = async (user: TestUser) => {
  const socket = await user.connect();
  const seen = record(socket);
  const isEnded = (messageId: string): boolean =>
    seen.some(
      ({ name, payload }) =>
        name === 'chat:message-updated' && payload.message.id === messageId && payload.message.status === 'interrupted',
    );
  return async (messageId: string): Promise<void> => {
    await waitFor(() => isEnded(messageId));
    socket.close();
  };
};

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
    lease: { nodeId: DEAD_NODE, until: leaseUntil },
    maxUnfinished: 0,
    preview: content,
    at: new Date(),
  });
  return { clientMessageId, turn };
};
