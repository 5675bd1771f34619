/**
 * What the product remembers: plain, readonly, the same whichever database holds it.
 * Every row has an owner (today the user's own account, later an organisation) and a maker.
 */
export type Role = 'user' | 'manager' | 'admin';

export interface User {
  readonly id: string;
  readonly username: string;
  /** Lower-cased. */
  readonly email: string;
  readonly emailVerified: boolean;
  readonly fullName: string | null;
  readonly role: Role;
  readonly status: 'active' | 'disabled';
  readonly passwordHash: string;
  /** Whether it has a second factor; false in a new account, and changed by the `SecondFactorStore` alone. */
  readonly mfaEnabled: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastLoginAt: Date | null;
}

/** What a user's authenticator and the server share (RFC 6238), and the codes for who lost the authenticator. */
export interface SecondFactor {
  readonly id: string;
  readonly ownerId: string;
  /** The shared secret, encrypted. */
  readonly secret: string;
  /** Under which key. */
  readonly keyId: string;
  readonly enabledAt: Date;
  /** The newest time step of which a code was used; what is not newer is spent. */
  readonly lastStep: number;
  /** SHA-256 of each recovery code that was not used. */
  readonly recoveryHashes: readonly string[];
}

/** One signed-in device: a family of refresh tokens, of which only the newest is good. */
export interface Login {
  readonly id: string;
  readonly ownerId: string;
  readonly device: string;
  readonly ip: string;
  /** SHA-256 of the newest refresh token. */
  readonly tokenHash: string;
  /** How often the refresh token was rotated: 0 after the login itself. */
  readonly generation: number;
  readonly rotatedAt: Date;
  readonly createdAt: Date;
  readonly lastSeenAt: Date;
  readonly idleExpiresAt: Date;
  readonly expiresAt: Date;
  readonly endedAt: Date | null;
}

/** What an API key may do: `read` looks, `chat` looks and changes. */
export type Scope = 'chat' | 'read';

/** A credential for programs: it stands for its owner, within its scopes. */
export interface ApiKey {
  readonly id: string;
  readonly ownerId: string;
  readonly name: string;
  /** SHA-256 of the key. */
  readonly hash: string;
  /** How the key begins, to tell it from others. */
  readonly prefix: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

/** An account at another service (OpenID Connect) by which its owner signs in. Issuer and subject together are unique. */
export interface Identity {
  readonly id: string;
  readonly ownerId: string;
  /** The name that the provider was configured under. */
  readonly provider: string;
  readonly issuer: string;
  readonly subject: string;
  /** The address that it had there when it was linked, to tell it from others. */
  readonly email: string | null;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
}

/** Something that matters for the security of accounts, as it happened. Never changed; names nobody but by id. */
export interface AuditEvent {
  readonly id: string;
  readonly at: Date;
  /** Such as `login.failed`. */
  readonly action: string;
  readonly outcome: 'success' | 'failure';
  /** Who did it; null when that is not known, as after a wrong password, or when it was the server. */
  readonly actorId: string | null;
  /** Whose account it is about; null when there is none. */
  readonly ownerId: string | null;
  /** The login or API key that it is about. */
  readonly targetId: string | null;
  readonly ip: string;
  /** The `User-Agent`, cut. */
  readonly device: string;
  readonly requestId: string | null;
  readonly details: Readonly<Record<string, string>> | null;
}

/** A one-use pass for URLs where a browser cannot set a header. */
export interface Ticket {
  /** SHA-256 of what the client holds. */
  readonly hash: string;
  readonly ownerId: string;
  readonly loginId: string | null;
  readonly expiresAt: Date;
}

/** What a mail's link proves: that who follows it reads the address it was sent to. An owner has one of a kind. */
export interface MailToken {
  /** `move`: to an address that the account is to have once the link was followed. */
  readonly kind: 'verify' | 'reset' | 'move';
  readonly ownerId: string;
  /** SHA-256 of what the link holds. */
  readonly hash: string;
  /** Where it was sent; of no use once the account has another address. */
  readonly email: string;
  readonly expiresAt: Date;
}

export interface Chat {
  readonly id: string;
  readonly ownerId: string;
  readonly createdBy: string;
  readonly title: string;
  readonly model: string | null;
  readonly systemPrompt: string | null;
  /** The newest message of the branch that is shown. */
  readonly activeLeafId: string | null;
  readonly messageCount: number;
  readonly lastMessagePreview: string | null;
  /** The highest `seq` ever given in this chat; never falls, not even when messages are deleted. */
  readonly lastSeq: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly rev: number;
}

export const FINAL_STATUSES = ['complete', 'stopped', 'interrupted', 'failed'] as const;
export type FinalStatus = (typeof FINAL_STATUSES)[number];
export type MessageStatus = 'queued' | 'pending' | 'streaming' | FinalStatus;

export const isFinal = (status: MessageStatus): status is FinalStatus =>
  (FINAL_STATUSES as readonly string[]).includes(status);

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
  readonly reasoningTokens?: number;
  readonly cachedTokens?: number;
  /** Millionths of a US dollar, as an integer. */
  readonly costMicroUsd?: number;
  readonly estimated?: boolean;
}

/** One call of one model in the books: what it was for, what it cost, and what it came to. Never changed once it is written. */
export interface UsageRecord {
  readonly id: string;
  readonly ownerId: string;
  readonly createdBy: string;
  /** When the call ended: the UTC day of it is the day that it is counted on. */
  readonly at: Date;
  /** `reply`: of a chat, `completion`: a stateless call, which has neither chat nor message. */
  readonly kind: 'reply' | 'completion';
  readonly chatId: string | null;
  readonly messageId: string | null;
  /** 1 for the first call of an answer: as many as there are of these, as many answers were asked for. */
  readonly number: number;
  readonly model: string;
  readonly provider: string | null;
  readonly generationId: string | null;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
  readonly reasoningTokens: number;
  readonly cachedTokens: number;
  /** Millionths of a US dollar, as an integer. */
  readonly costMicroUsd: number;
  /** Whether the tokens are a guess, because the endpoint never told them. */
  readonly estimated: boolean;
  /** Milliseconds from the start of the call; null: no token came. */
  readonly firstTokenMs: number | null;
  readonly durationMs: number;
  readonly chosenBy: string;
  readonly outcome: 'complete' | 'failed' | 'cancelled';
  readonly reason: string;
}

/** The books of many calls, added up. */
export interface UsageSums {
  /** Answers that were asked for, and calls that it took. */
  readonly requests: number;
  readonly attempts: number;
  /** Calls whose tokens are a guess. */
  readonly estimated: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
  readonly reasoningTokens: number;
  readonly cachedTokens: number;
  readonly costMicroUsd: number;
}

/** The books of nothing. */
export const NO_SUMS: UsageSums = {
  requests: 0,
  attempts: 0,
  estimated: 0,
  promptTokens: 0,
  completionTokens: 0,
  totalTokens: 0,
  reasoningTokens: 0,
  cachedTokens: 0,
  costMicroUsd: 0,
};

export const addSums = (left: UsageSums, right: UsageSums): UsageSums => ({
  requests: left.requests + right.requests,
  attempts: left.attempts + right.attempts,
  estimated: left.estimated + right.estimated,
  promptTokens: left.promptTokens + right.promptTokens,
  completionTokens: left.completionTokens + right.completionTokens,
  totalTokens: left.totalTokens + right.totalTokens,
  reasoningTokens: left.reasoningTokens + right.reasoningTokens,
  cachedTokens: left.cachedTokens + right.cachedTokens,
  costMicroUsd: left.costMicroUsd + right.costMicroUsd,
});

/** What one owner used of one model on one day. */
export interface UsageDay extends UsageSums {
  /** `2026-11-21`, in UTC. */
  readonly day: string;
  readonly model: string;
}

/** Which model wrote which part of a reply: `[from, to)` in UTF-16 units. */
export interface Segment {
  readonly model: string;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

export interface ReplyError {
  readonly code: string;
  readonly detail: string | null;
  readonly retryAfterMs: number | null;
}

/** Milliseconds from the start of the generation. */
export interface Latency {
  readonly firstToken: number | null;
  readonly total: number;
}

/** What the user thinks of a reply. */
export interface Feedback {
  readonly rating: 'up' | 'down';
  readonly comment: string | null;
}

/** Who generates a reply, and until when the others may trust that it still does. */
export interface Lease {
  readonly nodeId: string;
  readonly until: Date;
}

export interface Message {
  readonly id: string;
  readonly ownerId: string;
  readonly createdBy: string;
  readonly chatId: string;
  readonly seq: number;
  readonly parentId: string | null;
  readonly role: 'user' | 'assistant' | 'system';
  /** Of a reply that is not final: what its log holds so far. */
  readonly content: string;
  readonly status: MessageStatus;
  /** The key of the turn that stored it; question and reply of a turn have the same. */
  readonly clientMessageId: string | null;
  /** Of a reply: the model that answered, or before that the one that was asked for. */
  readonly model: string | null;
  readonly finishReason: string | null;
  readonly usage: Usage | null;
  readonly latencyMs: Latency | null;
  readonly segments: readonly Segment[] | null;
  readonly error: ReplyError | null;
  readonly feedback: Feedback | null;
  readonly lease: Lease | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly rev: number;
}

/** What one send made: the question and the reply to it, with the chat as it was right after. */
export interface Turn {
  readonly chat: Chat;
  readonly userMessage: Message;
  readonly reply: Message;
}
