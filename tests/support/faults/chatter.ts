import type { FaultClient } from './faultClient.ts';
import type { Account, FaultWorld } from './faultWorld.ts';
import { DOORS, type Door } from './history.ts';

export interface ChatterOptions {
  readonly accounts: readonly Account[];
  readonly clients: number;
  readonly doors?: readonly Door[];
  /** The longest message, in words: about as many events has its reply. */
  readonly maxWords?: number;
  readonly target?: () => Promise<string>;
}

/** Clients that send one message after another, each into the chat it has or a new one. */
export interface Chatter {
  /** Begins no more messages, and resolves when those under way are over. */
  end(): Promise<void>;
}

export const startChatter = (world: FaultWorld, options: ChatterOptions): Chatter => {
  const { accounts, doors = DOORS, maxWords = 65, target } = options;
  let isOver = false;

  const chat = async (client: FaultClient): Promise<void> => {
    let chatId: string | undefined;
    while (!isOver) {
      const words = Math.ceil(maxWords * (0.1 + 0.9 * world.random.next()));
      const outcome = await client.send(world.text(words), { chatId: world.random.isTrue(0.6) ? chatId : undefined });
      chatId = outcome?.chatId;
    }
  };

  const clients = Array.from({ length: options.clients }, (_, index) =>
    world.client({
      door: doors[index % doors.length]!,
      account: accounts[index % accounts.length]!,
      ...(target === undefined ? {} : { target }),
    }),
  );
  const chatting = Promise.all(clients.map(chat));
  return {
    end: async () => {
      isOver = true;
      await chatting;
    },
  };
};
