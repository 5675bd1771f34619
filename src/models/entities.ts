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
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastLoginAt: Date | null;
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

/** A one-use pass for URLs where a browser cannot set a header. */
export interface Ticket {
  /** SHA-256 of what the client holds. */
  readonly hash: string;
  readonly ownerId: string;
  readonly loginId: string | null;
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
