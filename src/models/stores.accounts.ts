import type { ApiKey, AuditEvent, Login, MailToken, Ticket, User } from './entities.ts';

/** The part of the contract (stores.ts) about accounts: who may come in, and what is written down about that. */
export interface UserStore {
  /** @throws DuplicateKeyError `username` (whatever its case) or `email` */
  createUser(user: User): Promise<void>;
  findUser(userId: string): Promise<User | null>;
  /** By username, whatever its case, or by e-mail address. */
  findUserByLogin(usernameOrEmail: string): Promise<User | null>;
  /** @throws DuplicateKeyError `email` or `username`; null when there is no such user */
  updateUser(userId: string, changes: UserChanges, at: Date): Promise<User | null>;
  /** Removes the account and everything that has it as owner; false when there was none. */
  deleteUser(userId: string): Promise<boolean>;
  hasAdmin(): Promise<boolean>;
  /** Compare-and-set: false, and nothing changed, when the hash is not `fromHash` any more. */
  updatePasswordHash(userId: string, fromHash: string, toHash: string, at: Date): Promise<boolean>;
  /** Notes that the user reads this address; false, and nothing changed, when it is not the account's any more. */
  verifyEmail(userId: string, email: string, at: Date): Promise<boolean>;
  /**
   * What an admin changes. Null when there is no such user.
   * @throws LastAdminError, with nothing changed, when no active admin would be left
   */
  updateAccount(userId: string, changes: AccountChanges, at: Date): Promise<User | null>;
  /** The newest first. */
  listUsers(page: UserPage): Promise<User[]>;
  countUsers(): Promise<UserCounts>;
}

export type AccountChanges = Partial<Pick<User, 'fullName' | 'emailVerified' | 'role' | 'status'>>;

/** Where a page of a list by creation ends. */
export interface CreationPage {
  /** Only what was made before this, equal times ordered by id. */
  readonly after: { readonly at: Date; readonly id: string } | null;
  readonly limit: number;
}

export interface UserPage extends CreationPage {
  /** Only users whose username or e-mail address contains this, whatever the case; null: all. */
  readonly query: string | null;
  readonly role: User['role'] | null;
  readonly status: User['status'] | null;
}

export interface UserCounts {
  readonly total: number;
  readonly disabled: number;
  readonly admins: number;
}

export type UserChanges = Partial<
  Pick<User, 'username' | 'email' | 'emailVerified' | 'fullName' | 'role' | 'status' | 'passwordHash' | 'lastLoginAt'>
>;

export interface LoginStore {
  createLogin(login: Login): Promise<void>;
  /** Found by its id alone: the refresh token that names it proves the right to it. Ended logins are found too. */
  findLogin(loginId: string): Promise<Login | null>;
  /**
   * Compare-and-set on `generation`: spends the token of that generation and makes the next one good.
   * False when the login is ended or was rotated by someone else. `lastSeenAt` becomes `rotatedAt`.
   */
  rotateLogin(loginId: string, fromGeneration: number, next: LoginRotation): Promise<boolean>;
  /** False when the owner has no such login or it had ended before. */
  endLogin(ownerId: string, loginId: string, at: Date): Promise<boolean>;
  /** Ends all of the owner's logins but `exceptLoginId`; returns the ids of those that it ended. */
  endLogins(ownerId: string, at: Date, exceptLoginId: string | null): Promise<string[]>;
  createTicket(ticket: Ticket): Promise<void>;
  /** Takes the ticket: of any number of calls with one hash exactly one gets it, the others null. Expired ones are null. */
  spendTicket(hash: string, now: Date): Promise<Ticket | null>;
  /** Removes at most `limit` tickets and logins that expired before `now`; returns how many. */
  deleteExpired(now: Date, limit: number): Promise<number>;
  /** The logins that are good at `now`, the newest first. */
  listLogins(ownerId: string, page: CreationPage, now: Date): Promise<Login[]>;
  /** Ends all but the `keep` of the owner's logins that were seen last; returns the ids of those that it ended. */
  endOldestLogins(ownerId: string, keep: number, at: Date): Promise<string[]>;
  /** Notes when logins were seen; never sets one back. Need not be durable. */
  touchLogins(seen: readonly Seen[]): Promise<void>;
}

/** When a login or an API key was used. */
export interface Seen {
  readonly id: string;
  readonly at: Date;
}

export interface ApiKeyStore {
  /**
   * Stores a key, unless its owner has `max` that are not revoked; false then. Of several calls at once it may refuse one
   * that there was a place for, but never lets one too many in.
   */
  createKey(key: ApiKey, max: number): Promise<boolean>;
  /** Found by its hash alone, which proves the right to it; revoked ones too. */
  findKeyByHash(hash: string): Promise<ApiKey | null>;
  /** Those that are not revoked, the newest first. */
  listKeys(ownerId: string, page: CreationPage): Promise<ApiKey[]>;
  /** False when the owner has no such key or it was revoked before. */
  revokeKey(ownerId: string, keyId: string, at: Date): Promise<boolean>;
  /** Revokes all of the owner's keys; returns the ids of those that it revoked. */
  revokeKeys(ownerId: string, at: Date): Promise<string[]>;
  /** Notes when keys were used; never sets one back. Need not be durable. */
  touchKeys(seen: readonly Seen[]): Promise<void>;
  /** Removes at most `limit` keys that were revoked or expired before `before`; returns how many. */
  deleteEndedKeys(before: Date, limit: number): Promise<number>;
}

export interface MailTokenStore {
  /** Stores a token in the place of the one that its owner had of the kind, which is void from then on. */
  putMailToken(token: MailToken): Promise<void>;
  /** Takes the token: of any number of calls with one hash exactly one gets it, the others null. Expired ones are null. */
  spendMailToken(kind: MailToken['kind'], hash: string, now: Date): Promise<MailToken | null>;
  /** Voids what the owner has of the kind. */
  dropMailToken(ownerId: string, kind: MailToken['kind']): Promise<void>;
  /** Removes at most `limit` tokens that expired before `before`; returns how many. */
  deleteMailTokens(before: Date, limit: number): Promise<number>;
}

export interface AuditFilter {
  readonly actorId: string | null;
  readonly ownerId: string | null;
  /** Empty: all. */
  readonly actions: readonly string[];
  readonly from: Date | null;
  /** Events before this. */
  readonly to: Date | null;
}

/** Only grows, until its events are old. When an account is deleted, its address and device go from what it did. */
export interface AuditStore {
  /** Stores events whose id is not there yet: a repeated write does nothing. */
  appendEvents(events: readonly AuditEvent[]): Promise<void>;
  /** The newest first. */
  listEvents(filter: AuditFilter, page: CreationPage): Promise<AuditEvent[]>;
  /** Removes at most `limit` events from before `before`; returns how many. */
  deleteEvents(before: Date, limit: number): Promise<number>;
}

export type LoginRotation = Pick<Login, 'tokenHash' | 'rotatedAt' | 'idleExpiresAt'>;
