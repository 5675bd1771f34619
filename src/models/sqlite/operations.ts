import type {
  ApiKeyStore,
  AuditStore,
  ChatStore,
  IdentityStore,
  LoginStore,
  MailTokenStore,
  MessageStore,
  SecondFactorStore,
  SyncStore,
  UsageStore,
  UserStore,
} from '../stores.ts';
import { createApiKeyStore } from './apiKey.store.ts';
import { createAuditStore } from './audit.store.ts';
import { createChatStore } from './chat.store.ts';
import type { Database } from './database.ts';
import { createIdentityStore } from './identity.store.ts';
import { createLoginStore } from './login.store.ts';
import { createMailTokenStore } from './mailToken.store.ts';
import { createMessageStore } from './message.store.ts';
import { createSecondFactorStore } from './secondFactor.store.ts';
import { createSyncStore } from './sync.store.ts';
import type { Sync } from './sync.ts';
import { createUsageStore } from './usage.store.ts';
import { createUserStore } from './user.store.ts';

export interface SyncStores {
  readonly users: Sync<UserStore>;
  readonly logins: Sync<LoginStore>;
  readonly apiKeys: Sync<ApiKeyStore>;
  readonly mailTokens: Sync<MailTokenStore>;
  readonly secondFactors: Sync<SecondFactorStore>;
  readonly identities: Sync<IdentityStore>;
  readonly audit: Sync<AuditStore>;
  readonly chats: Sync<ChatStore>;
  readonly messages: Sync<MessageStore>;
  readonly sync: Sync<SyncStore>;
  readonly usage: Sync<UsageStore>;
  readonly database: { ping(): void };
}
export type StoreName = keyof SyncStores;

/** All stores over one connection. They open no transaction: their caller decides what belongs together. */
export const createSyncStores = (db: Database): SyncStores => ({
  users: createUserStore(db),
  logins: createLoginStore(db),
  apiKeys: createApiKeyStore(db),
  mailTokens: createMailTokenStore(db),
  secondFactors: createSecondFactorStore(db),
  identities: createIdentityStore(db),
  audit: createAuditStore(db),
  chats: createChatStore(db),
  messages: createMessageStore(db),
  sync: createSyncStore(db),
  usage: createUsageStore(db),
  database: { ping: () => void db.get('SELECT count(*) FROM sqlite_schema') },
});

/** One call of a store's method, as it travels to the writing thread. */
export interface Operation {
  readonly id: number;
  readonly store: StoreName;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** By the naming rule of the house these change nothing. */
export const isRead = (method: string): boolean => /^(find|list|has|count)[A-Z]/.test(method);

/** Calls that survive the death of the process but need not survive a power loss, and so need not wait for the disk. */
const RELAXED: ReadonlySet<string> = new Set([
  'startReply',
  'appendLog',
  'renewLeases',
  'reserve',
  'renewReservations',
  'appendUsage',
  'touchLogins',
  'touchKeys',
  'touchIdentity',
  'ping',
]);

export const isDurable = (operation: Operation): boolean => !RELAXED.has(operation.method);

/** Calls a method by its name. The names come from the stores' own keys (`index.ts`), never from outside. */
export const perform = (stores: SyncStores, { store, method, args }: Omit<Operation, 'id'>): unknown =>
  (stores[store] as unknown as Record<string, (...args: readonly unknown[]) => unknown>)[method]?.(...args);
