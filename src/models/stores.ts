import type {
  Chat,
  Feedback,
  FinalStatus,
  Latency,
  Lease,
  Message,
  ReplyError,
  Segment,
  Turn,
  Usage,
} from './entities.ts';
import type {
  UserStore,
  IdentityStore,
  LoginStore,
  ApiKeyStore,
  MailTokenStore,
  SecondFactorStore,
  AuditStore,
  EndingStore,
  FailureStore,
} from './stores.accounts.ts';
import type { Reservation, UsageStore } from './stores.usage.ts';

export type * from './stores.accounts.ts';
export type * from './stores.usage.ts';

export type ChatSort = 'createdAt' | 'updatedAt' | '-createdAt' | '-updatedAt';

export interface ChatPage {
  readonly sort: ChatSort;
  /** Only chats whose title contains this, whatever the case; null: all. */
  readonly titleQuery: string | null;
  /** Only chats behind this one in the order of `sort`, equal times ordered by id. */
  readonly after: { readonly at: Date; readonly id: string } | null;
  readonly limit: number;
}

export interface ChatStore {
  createChat(chat: Chat): Promise<void>;
  findChat(ownerId: string, chatId: string): Promise<Chat | null>;
  listChats(ownerId: string, page: ChatPage): Promise<Chat[]>;
  /** Raises `rev`, sets `updatedAt`; null when there is no such chat. */
  updateChat(ownerId: string, chatId: string, changes: ChatChanges, at: Date): Promise<Chat | null>;
  /** Deletes the chat's messages and keeps the chat: count 0, no leaf, no preview, `lastSeq` as it was. */
  clearChat(ownerId: string, chatId: string, at: Date): Promise<Chat | null>;
  /** Deletes the chat with its messages; false when there was none. Its turns stay known, so that a replay is recognised. */
  deleteChat(ownerId: string, chatId: string): Promise<boolean>;
  /** Deletes every chat of the owner; returns the ids of those that it deleted. */
  deleteChats(ownerId: string): Promise<string[]>;
  /** All chats and messages of everybody, about; not for every request: it reads the whole list of chats. */
  countChats(): Promise<ChatCounts>;
  /** At most `limit` chats of any owner whose `updatedAt` is before `before`, the oldest first. */
  listIdleChats(before: Date, limit: number): Promise<Pick<Chat, 'id' | 'ownerId'>[]>;
}

export interface ChatCounts {
  readonly chats: number;
  readonly messages: number;
}

export type ChatChanges = Partial<Pick<Chat, 'title' | 'model' | 'systemPrompt' | 'activeLeafId'>>;

/** A send, ready to be stored. Ids are made by the caller, so that a repeated write finds its own rows. */
export interface NewTurn {
  readonly ownerId: string;
  readonly createdBy: string;
  /** Unique per owner, for ever: the second turn under it is not stored. */
  readonly clientMessageId: string;
  /** Tells a repetition from another message under the same id. Kept with the turn, not interpreted. */
  readonly fingerprint: string;
  readonly chatId: string;
  /** Set: the chat is made by this turn. */
  readonly newChat: Pick<Chat, 'title' | 'model' | 'systemPrompt'> | null;
  /** The message that this turn hangs on. Undefined: the active leaf; null: the root. */
  readonly parentId: string | null | undefined;
  /** Null: only a reply is added, as a child of `parentId`, which must be a user message then. */
  readonly userMessage: Pick<Message, 'id' | 'content'> | null;
  readonly reply: Pick<Message, 'id' | 'model'>;
  /** Given to the reply if it need not wait. */
  readonly lease: Lease;
  /** How many unfinished replies the chat may already have; with one or more the new one is `queued`, else `pending`. More: ChatFullError. */
  readonly maxUnfinished: number;
  /** What the turn takes of its owner's quotas, under the id of its reply; left out: nothing. Not enough left: QuotaError. */
  readonly reservation?: Reservation | null;
  /** The chat's preview until the reply is there. */
  readonly preview: string;
  readonly at: Date;
}

export interface StoredTurn {
  readonly created: boolean;
  readonly fingerprint: string;
  /** Null when the turn was stored once and its messages were deleted since. */
  readonly turn: Turn | null;
}

export interface ReplyStart {
  /** Given: only if the reply's lease is this node's. */
  readonly nodeId?: string;
  readonly at: Date;
}

export interface ReplyEnd {
  readonly status: FinalStatus;
  readonly content: string;
  readonly model: string | null;
  readonly finishReason: string | null;
  readonly usage: Usage | null;
  readonly latencyMs: Latency | null;
  readonly segments: readonly Segment[] | null;
  readonly error: ReplyError | null;
  /** The chat's new preview; null leaves the old one. Used only if the reply is still the chat's active leaf. */
  readonly preview: string | null;
  /** Given: the end counts only as long as the reply's lease is this node's, be it past its time. */
  readonly nodeId?: string | undefined;
  readonly at: Date;
}

/** What a deletion took away, and the chat after it. */
export interface RemovedMessages {
  readonly chat: Chat;
  /** In order of `seq`. */
  readonly ids: readonly string[];
}

export interface LogEntry {
  readonly ownerId: string;
  readonly messageId: string;
  /** UTF-16 units of the reply before this text. */
  readonly offset: number;
  readonly text: string;
}

export interface MessageStore {
  /**
   * Stores a turn: the chat if it is new, the user message, the empty reply, the idempotency row, the chat's counters,
   * leaf, preview and `rev`. User message and reply get the next two `seq` (only the reply: the next one).
   * Under a known `clientMessageId` nothing changes and the first turn comes back in its present state.
   * Of concurrent turns of one chat each hangs on the one before it.
   * @throws MissingReferenceError, ChatFullError, QuotaError (all: nothing stored)
   */
  appendTurn(turn: NewTurn): Promise<StoredTurn>;
  /** The turn stored under a `clientMessageId`, as `appendTurn` would return it. */
  findTurn(ownerId: string, clientMessageId: string): Promise<StoredTurn | null>;
  findMessage(ownerId: string, messageId: string): Promise<Message | null>;
  /** All messages of a chat, newest first, below `beforeSeq` if given. */
  listMessages(ownerId: string, chatId: string, beforeSeq: number | null, limit: number): Promise<Message[]>;
  /** `fromId` and its ancestors, newest first; empty when `fromId` is not in the chat. */
  listBranch(ownerId: string, chatId: string, fromId: string, limit: number): Promise<Message[]>;
  /** The messages with this parent (null: the roots), in order of `seq`. */
  listChildren(ownerId: string, chatId: string, parentId: string | null): Promise<Message[]>;
  /** The ids of all messages that have one of these parents (null: the roots), in order of `seq`. */
  listChildIds(
    ownerId: string,
    chatId: string,
    parentIds: readonly (string | null)[],
  ): Promise<Pick<Message, 'id' | 'parentId'>[]>;
  /** The replies of a chat that are not final, in order of `seq`. */
  listUnfinished(ownerId: string, chatId: string): Promise<Message[]>;

  /**
   * Makes the newest leaf at or below the message the chat's active one, and the preview that leaf's; raises the chat's `rev`.
   * Null when the chat has no such message.
   */
  showBranch(ownerId: string, chatId: string, messageId: string, at: Date): Promise<Chat | null>;
  /**
   * Deletes the message with all that hangs on it, corrects the chat's count and raises its `rev`. If the active leaf was
   * among it, the newest leaf at or below the deleted message's parent takes its place (of a root: the newest of the
   * chat), and the preview follows. The turns stay known, so that a replay is recognised. Null when there was no such message.
   */
  deleteMessage(ownerId: string, messageId: string, at: Date): Promise<RemovedMessages | null>;
  /** Replaces what the user thinks of a reply, raises its `rev`; null when the owner has no such reply. */
  setFeedback(ownerId: string, messageId: string, feedback: Feedback, at: Date): Promise<Message | null>;

  /** Compare-and-set `queued → pending` with a lease; false when it was not queued any more. */
  claimReply(ownerId: string, messageId: string, lease: Lease, at: Date): Promise<boolean>;
  /**
   * Compare-and-set `pending → streaming`, before a model is asked for the first time; false when it was not pending any more,
   * or is another node's (`start.nodeId`). Survives the death of the process, but need not survive a power loss.
   */
  startReply(ownerId: string, messageId: string, model: string, start: ReplyStart): Promise<boolean>;
  /**
   * Compare-and-set to `queued` of a reply that nobody generates and for which no model was ever asked, which is to say that
   * `startReply` never succeeded: one that is `interrupted`, or `pending` with a lease that ended before `at`. Takes its
   * error and lease away and raises its `rev`. Null when it is anything else.
   */
  reopenReply(ownerId: string, messageId: string, at: Date): Promise<Message | null>;
  /**
   * Adds text to the logs of running replies, all in one write. Survives the death of the process; a power loss may take
   * the newest entries. An entry that is there already (same message and offset) is left as it is.
   */
  appendLog(entries: readonly LogEntry[]): Promise<void>;
  /**
   * Compare-and-set to a final status: writes the end, drops the log and the lease, raises the `rev` of message and chat.
   * Null when the reply is final already, another node's (`end.nodeId`), or gone.
   */
  settleReply(ownerId: string, messageId: string, end: ReplyEnd): Promise<Pick<Turn, 'chat' | 'reply'> | null>;
  /** Extends the node's leases on these replies; returns the ids that it still holds. Need not be durable. */
  renewLeases(nodeId: string, messageIds: readonly string[], until: Date): Promise<string[]>;
  /** At most `limit` unfinished replies whose lease ended before `now`, and queued ones made before `queuedBefore`. */
  listLapsedReplies(now: Date, queuedBefore: Date, limit: number): Promise<Message[]>;
}

/** Which part of what changed is wanted. */
export interface ChangePage {
  /** The `position` of the page before; null: from the beginning. */
  readonly after: string | null;
  /** Changes on the page; one of them may be the deletion of many messages. */
  readonly limit: number;
  /** Bytes of text on the page, about; the page has one change at least, however long that is. */
  readonly maxBytes: number;
}

/** The deletion of a chat is that of its messages too; these are then not named. */
export interface Deletion {
  readonly kind: 'chat' | 'message';
  readonly id: string;
}

export interface Changes {
  readonly chats: readonly Chat[];
  readonly messages: readonly Message[];
  readonly deleted: readonly Deletion[];
  /** Where this page ends; opaque to everybody but the store that made it. */
  readonly position: string;
  /** Whether more has changed already. */
  readonly more: boolean;
}

export interface SyncStore {
  /**
   * What changed in an account behind a position. A change is a chat or message that was made or whose `rev` rose, and each
   * deletion; text that is added to a reply's log is none. Whoever reads page after page, each from the position of the one
   * before, and applies each page, holds the account as it is: whatever was acknowledged before a call is in its page or
   * in one of those that follow it, whatever the writers, nodes and readers at the same time. Until then the pages are no
   * state that ever was, and:
   *
   * - an entity comes as it is when the page is made, and may come any number of times: the highest `rev` is the one to keep;
   * - what was deleted does not come again after its deletion, other than in an older state of a page that was read before;
   * - a message may come before its chat.
   *
   * Deletions are forgotten by `deleteTombstones`: a position from before is of no use then, and it is the caller who must
   * know how old a position is. Null when the position is not of this database, or of an older copy of it.
   */
  listChanges(ownerId: string, page: ChangePage): Promise<Changes | null>;
  /** Forgets at most `limit` of what is kept only to tell deletions from before `before`; returns how many. */
  deleteTombstones(before: Date, limit: number): Promise<number>;
}

/**
 * The contract of persistence; SQLite and MongoDB both keep it (tests/contract/stores).
 *
 * - Each call is one atomic unit: it happens whole or not at all, and a crash in the middle is repaired.
 * - A call that writes resolves when the write is durable (a power loss does not take it back), unless it says otherwise.
 * - The owner is part of every key, so that a foreign id cannot be told from a missing one.
 * - Every call can throw `StoreUnavailableError`. Text is stored and returned exactly, NUL and emoji included.
 */
export interface Stores {
  readonly kind: 'sqlite' | 'mongodb';
  readonly users: UserStore;
  readonly logins: LoginStore;
  readonly apiKeys: ApiKeyStore;
  readonly mailTokens: MailTokenStore;
  readonly secondFactors: SecondFactorStore;
  readonly identities: IdentityStore;
  /** Null where one node alone can have the database. */
  readonly endings: EndingStore | null;
  /** Null as well: there one node counts for itself. */
  readonly failures: FailureStore | null;
  readonly audit: AuditStore;
  readonly chats: ChatStore;
  readonly messages: MessageStore;
  readonly sync: SyncStore;
  readonly usage: UsageStore;
  /** Resolves when the database answers. @throws StoreUnavailableError */
  ping(): Promise<void>;
  /** Finishes what a crash left half done; returns how many things it mended. Called at start and now and then. */
  repair(): Promise<number>;
  close(): Promise<void>;
}
