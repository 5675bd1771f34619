import { createRandom, type Random } from './random.ts';

interface Entity {
  readonly id: string;
  readonly rev: number;
}

/** A page of changes, from a store or over the wire. */
export interface ChangesPage {
  readonly chats: readonly Entity[];
  readonly messages: readonly (Entity & { readonly chatId: string })[];
  readonly deleted: readonly { readonly kind: string; readonly id: string }[];
}

/** What a client holds of an account, kept up by the rules of docs/api.md and nothing else. */
export interface Device {
  /** Before it asks without a cursor: what was deleted before the read is told to nobody who starts anew. */
  forget(): void;
  apply(page: ChangesPage): void;
  /** Everything it holds, in an order that does not depend on how it came. */
  holds(): { readonly chats: readonly Entity[]; readonly messages: readonly Entity[] };
}

const byId = (one: Entity, other: Entity): number => (one.id < other.id ? -1 : 1);

/** @param random in which order the parts of a page are applied: it must not matter */
export const createDevice = (random: Random = createRandom(1)): Device => {
  const chats = new Map<string, Entity>();
  const messages = new Map<string, Entity & { readonly chatId: string }>();

  const keep = <T extends Entity>(held: Map<string, T>, entity: T): void => {
    if (entity.rev >= (held.get(entity.id)?.rev ?? 0)) held.set(entity.id, entity);
  };
  const drop = ({ kind, id }: ChangesPage['deleted'][number]): void => {
    if (kind === 'message') messages.delete(id);
    if (kind !== 'chat') return;
    chats.delete(id);
    for (const message of messages.values()) if (message.chatId === id) messages.delete(message.id);
  };

  return {
    forget: () => {
      chats.clear();
      messages.clear();
    },
    apply: (page) => {
      const steps = [
        () => page.chats.forEach((chat) => keep(chats, chat)),
        () => page.messages.forEach((message) => keep(messages, message)),
        () => page.deleted.forEach(drop),
      ];
      while (steps.length > 0) steps.splice(random.below(steps.length), 1)[0]?.();
    },
    holds: () => ({ chats: [...chats.values()].sort(byId), messages: [...messages.values()].sort(byId) }),
  };
};
