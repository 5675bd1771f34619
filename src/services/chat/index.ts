import { createChatRules, type ChatRulesOptions } from './chatRules.ts';
import { createChats, type Chats, type ChatsOptions } from './chats.ts';
import { createHistory, type History, type HistoryOptions } from './history.ts';
import { createSendMessage, type SendMessageOptions, type SendMessageUseCase } from './sendMessage.ts';

export type { SentMessage } from './sendMessage.ts';

/** All that can be done with chats, for every door; each use case has a file of its own. */
export interface ChatService extends Chats, History {
  readonly sendMessage: SendMessageUseCase;
}

type Options = Omit<SendMessageOptions & ChatsOptions & HistoryOptions, 'rules'> & ChatRulesOptions;

export const createChatService = (options: Options): ChatService => {
  const rules = createChatRules(options);
  return {
    sendMessage: createSendMessage({ ...options, rules }),
    ...createChats({ ...options, rules }),
    ...createHistory(options),
  };
};
