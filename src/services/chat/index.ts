import { createBatch, type BatchOptions, type BatchUseCase } from './batch.ts';
import { createChatRules, type ChatRulesOptions } from './chatRules.ts';
import { createChats, type Chats, type ChatsOptions } from './chats.ts';
import { createDeleteMessage, type DeleteMessageOptions, type DeleteMessageUseCase } from './deleteMessage.ts';
import { createEditMessage, type EditMessageOptions, type EditMessageUseCase } from './editMessage.ts';
import { createGiveFeedback, type GiveFeedbackOptions, type GiveFeedbackUseCase } from './giveFeedback.ts';
import { createHistory, type History, type HistoryOptions } from './history.ts';
import { createRegenerate, type RegenerateUseCase } from './regenerate.ts';
import { createSendMessage, type SendMessageOptions, type SendMessageUseCase } from './sendMessage.ts';
import { createSiblings } from './siblings.ts';
import { createSync, type SyncOptions, type SyncUseCase } from './sync.ts';
import { createTakeTurn, type TakeTurnOptions } from './takeTurn.ts';
import { trackTurns } from './turnsUnderWay.ts';

export { SYNC_WINDOW_MS } from './sync.ts';
export { toSendAck, type SentMessage } from './turnPlan.ts';

/** All that can be done with chats, for every door; each use case has a file of its own. */
export interface ChatService extends Chats, History {
  readonly sendMessage: SendMessageUseCase;
  readonly sendBatch: BatchUseCase;
  readonly regenerate: RegenerateUseCase;
  readonly editMessage: EditMessageUseCase;
  readonly deleteMessage: DeleteMessageUseCase;
  readonly giveFeedback: GiveFeedbackUseCase;
  readonly sync: SyncUseCase;
  /** Resolves when every turn that was being stored is stored and its reply started, or refused. */
  turnsStored(): Promise<void>;
}

type UseCaseOptions = TakeTurnOptions &
  SendMessageOptions &
  EditMessageOptions &
  BatchOptions &
  DeleteMessageOptions &
  GiveFeedbackOptions &
  SyncOptions &
  ChatsOptions &
  HistoryOptions;
type Options = Omit<UseCaseOptions, 'rules' | 'siblings' | 'takeTurn' | 'sendMessage'> & ChatRulesOptions;

export const createChatService = (options: Options): ChatService => {
  const parts = { ...options, rules: createChatRules(options), siblings: createSiblings(options.stores.messages) };
  const { takeTurn, turnsStored } = trackTurns(createTakeTurn(parts));
  const sendMessage = createSendMessage({ ...parts, takeTurn });
  return {
    sendMessage,
    sendBatch: createBatch({ ...parts, sendMessage }),
    regenerate: createRegenerate({ ...parts, takeTurn }),
    editMessage: createEditMessage({ ...parts, takeTurn }),
    deleteMessage: createDeleteMessage(parts),
    giveFeedback: createGiveFeedback(parts),
    sync: createSync(parts),
    turnsStored,
    ...createChats(parts),
    ...createHistory(parts),
  };
};
