import { createHash, randomBytes } from 'node:crypto';
import { newId } from '../../../src/lib/ids.ts';
import type {
  ApiKey,
  AuditEvent,
  Chat,
  Identity,
  Login,
  MailToken,
  Message,
  SecondFactor,
  Ticket,
  User,
} from '../../../src/models/entities.ts';
import type { NewTurn, ReplyEnd, Stores } from '../../../src/models/stores.ts';

/** A time from which tests count, in whole milliseconds as both databases keep them. */
export const T0 = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
export const at = (milliseconds: number): Date => new Date(T0 + milliseconds);

/** Before anything that another test stores: for sweeps, which see every owner. */
export const longAgo = (milliseconds: number): Date => new Date(Date.UTC(1990, 0, 1) + milliseconds);

/** Text that breaks stores which take it for something else: NUL, emoji, combining and right-to-left signs, JSON, SQL. */
export const UGLY_TEXT =
  'a\0b 😀👩‍👩‍👧 e\u0301 \u202eabc\u202c {"$gt":""} \'; DROP TABLE users;-- %_\\ \r\n\t\u2028 $where \ufeff';

export const newUser = (changes: Partial<User> = {}): User => {
  const name = `u${randomBytes(8).toString('hex')}`;
  return {
    id: newId(),
    username: name,
    email: `${name}@example.com`,
    emailVerified: false,
    fullName: null,
    role: 'user',
    status: 'active',
    passwordHash: 'scheme$hash',
    mfaEnabled: false,
    createdAt: at(0),
    updatedAt: at(0),
    lastLoginAt: null,
    ...changes,
  };
};

export const newLogin = (ownerId: string, changes: Partial<Login> = {}): Login => ({
  id: newId(),
  ownerId,
  device: 'Firefox on Linux',
  ip: '203.0.113.7',
  tokenHash: newHash(),
  generation: 0,
  rotatedAt: at(0),
  createdAt: at(0),
  lastSeenAt: at(0),
  idleExpiresAt: at(7 * 86_400_000),
  expiresAt: at(30 * 86_400_000),
  endedAt: null,
  ...changes,
});

export const newFactor = (ownerId: string, changes: Partial<SecondFactor> = {}): SecondFactor => ({
  id: newId(),
  ownerId,
  secret: `key.${randomBytes(24).toString('base64url')}`,
  keyId: 'key',
  enabledAt: at(0),
  lastStep: 59_000_000,
  recoveryHashes: [newHash(), newHash(), newHash()],
  ...changes,
});

export const newHash = (): string => createHash('sha256').update(randomBytes(32)).digest('hex');

export const newMailToken = (ownerId: string, changes: Partial<MailToken> = {}): MailToken => ({
  kind: 'verify',
  ownerId,
  hash: newHash(),
  email: 'ada@example.com',
  expiresAt: at(30_000),
  ...changes,
});

export const newIdentity = (ownerId: string, changes: Partial<Identity> = {}): Identity => ({
  id: newId(),
  ownerId,
  provider: 'corp',
  issuer: 'https://id.example.com',
  subject: newId(),
  email: 'ada@example.com',
  createdAt: at(0),
  lastUsedAt: at(0),
  ...changes,
});

export const newTicket = (ownerId: string, changes: Partial<Ticket> = {}): Ticket => ({
  hash: newHash(),
  ownerId,
  loginId: null,
  expiresAt: at(30_000),
  ...changes,
});

export const newApiKey = (ownerId: string, changes: Partial<ApiKey> = {}): ApiKey => ({
  id: newId(),
  ownerId,
  name: 'A program',
  hash: newHash(),
  prefix: 'parley_sk_abcdef',
  scopes: ['read'],
  createdAt: at(0),
  expiresAt: null,
  lastUsedAt: null,
  revokedAt: null,
  ...changes,
});

export const newAuditEvent = (changes: Partial<AuditEvent> = {}): AuditEvent => ({
  id: newId(),
  at: at(0),
  action: 'login.succeeded',
  outcome: 'success',
  actorId: null,
  ownerId: null,
  targetId: null,
  ip: '203.0.113.7',
  device: 'Firefox on Linux',
  requestId: null,
  details: null,
  ...changes,
});

export const newChat = (ownerId: string, changes: Partial<Chat> = {}): Chat => ({
  id: newId(),
  ownerId,
  createdBy: ownerId,
  title: 'A chat',
  model: null,
  systemPrompt: null,
  activeLeafId: null,
  messageCount: 0,
  lastMessagePreview: null,
  lastSeq: 0,
  createdAt: at(0),
  updatedAt: at(0),
  rev: 1,
  ...changes,
});

/** A send into the chat; `newChat` unset, so the chat must be there. */
export const newTurn = (ownerId: string, chatId: string, changes: Partial<NewTurn> = {}): NewTurn => ({
  ownerId,
  createdBy: ownerId,
  clientMessageId: newId(),
  fingerprint: newHash(),
  chatId,
  newChat: null,
  parentId: undefined,
  userMessage: { id: newId(), content: 'How are you?' },
  reply: { id: newId(), model: 'maker/model' },
  lease: { nodeId: 'node-1', until: at(15_000) },
  maxUnfinished: 1_000_000,
  preview: 'How are you?',
  at: at(1_000),
  ...changes,
});

/** A send that makes its chat. */
export const firstTurn = (ownerId: string, changes: Partial<NewTurn> = {}): NewTurn =>
  newTurn(ownerId, newId(), { newChat: { title: 'A new chat', model: null, systemPrompt: null }, ...changes });

export const replyEnd = (changes: Partial<ReplyEnd> = {}): ReplyEnd => ({
  status: 'complete',
  content: 'Fine.',
  model: 'maker/answered',
  finishReason: 'stop',
  usage: { promptTokens: 3, completionTokens: 2, totalTokens: 5, costMicroUsd: 17 },
  latencyMs: { firstToken: 120, total: 450 },
  segments: [{ model: 'maker/answered', from: 0, to: 5, reason: 'start' }],
  error: null,
  preview: 'Fine.',
  at: at(2_000),
  ...changes,
});

/** Messages of one chat as a chain of questions and answers, `seq` from 1. */
export const chainOf = (ownerId: string, chatId: string, count: number): Message[] => {
  const messages: Message[] = [];
  for (let seq = 1; seq <= count; seq += 1) {
    messages.push({
      id: newId(),
      ownerId,
      createdBy: ownerId,
      chatId,
      seq,
      parentId: messages.at(-1)?.id ?? null,
      role: seq % 2 === 1 ? 'user' : 'assistant',
      content: `message ${String(seq)}`,
      status: 'complete',
      clientMessageId: null,
      model: null,
      finishReason: null,
      usage: null,
      latencyMs: null,
      segments: null,
      error: null,
      feedback: null,
      lease: null,
      createdAt: at(seq),
      updatedAt: at(seq),
      rev: 1,
    });
  }
  return messages;
};

/** Stores a turn and returns what it made; for tests that only need it to be there. */
export const storeTurn = async (stores: Stores, turn: NewTurn) => {
  const stored = await stores.messages.appendTurn(turn);
  if (!stored.turn) throw new Error('the turn is gone');
  return stored.turn;
};

/** Stores a turn and settles its reply. */
export const storeSettledTurn = async (stores: Stores, turn: NewTurn) => {
  const { reply } = await storeTurn(stores, turn);
  const settled = await stores.messages.settleReply(turn.ownerId, reply.id, replyEnd());
  if (!settled) throw new Error('the reply is gone');
  return settled;
};

/** How often each value occurs, as a sorted list of values: for the outcomes of races. */
export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
