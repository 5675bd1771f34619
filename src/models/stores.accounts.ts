import type { ApiKey, AuditEvent, Identity, Login, MailToken, SecondFactor, Ticket, User } from './entities.ts';

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

/** What ended for accounts, by whichever node. */
export interface Endings {
  readonly logins: readonly { readonly ownerId: string; readonly loginId: string; readonly at: Date }[];
  readonly keys: readonly { readonly ownerId: string; readonly keyId: string; readonly at: Date }[];
  /** That changed; over: disabled or deleted. */
  readonly accounts: readonly { readonly ownerId: string; readonly isOver: boolean; readonly at: Date }[];
}

export interface EndingStore {
  /** Everything from this time on, as the nodes that did it stamped it. */
  readEndings(since: Date): Promise<Endings>;
}

/** Wrong guesses of a password or code under a key. */
export interface FailureCount {
  readonly failures: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
}

/** When wrong guesses are forgotten: milliseconds since the last one, or since the first. */
export interface FailureMemory {
  readonly ms: number;
  readonly since: 'last' | 'first';
}

/** What several nodes count together. */
export interface FailureStore {
  /** What counts under a key at `now`; null: nothing. */
  readFailures(key: string, now: Date): Promise<FailureCount | null>;
  /** Counts one more. Of several calls at once under a key that had nothing, some may count as one. */
  addFailure(key: string, at: Date, memory: FailureMemory): Promise<void>;
  clearFailures(key: string): Promise<void>;
  /** Removes at most `limit` keys that were forgotten before `before`; returns how many. */
  deleteFailures(before: Date, limit: number): Promise<number>;
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

/** The second factors of accounts: one each, which is gone with its account. */
export interface SecondFactorStore {
  /** Gives its owner a second factor; false, and nothing changed, when there is no such user or it has one. */
  enableFactor(factor: SecondFactor): Promise<boolean>;
  findFactor(ownerId: string): Promise<SecondFactor | null>;
  /**
   * Spends a time step of the factor: of any number of calls with one step exactly one is true. False, too, when a newer one
   * was spent, and when the owner has another factor by now or none.
   */
  spendStep(ownerId: string, factorId: string, step: number): Promise<boolean>;
  /** Takes a recovery code away: of any number of calls with one hash exactly one is true. */
  spendRecoveryCode(ownerId: string, hash: string): Promise<boolean>;
  /** False when the owner has none. */
  disableFactor(ownerId: string, at: Date): Promise<boolean>;
  /** At most `limit` factors whose secret is encrypted under this key. */
  listFactorsByKey(keyId: string, limit: number): Promise<SecondFactor[]>;
  /** Compare-and-set: the same secret under another key; false, and nothing changed, when `from` is not what is stored. */
  replaceSecret(ownerId: string, from: string, to: SealedSecret): Promise<boolean>;
}

export type SealedSecret = Pick<SecondFactor, 'secret' | 'keyId'>;

export interface IdentityStore {
  findIdentity(issuer: string, subject: string): Promise<Identity | null>;
  /** @throws DuplicateKeyError `subject` when it is linked already, to whomever */
  createIdentity(identity: Identity): Promise<void>;
  /**
   * Makes an account with the identity that it is signed in by, or neither.
   * @throws DuplicateKeyError `username` (whatever its case), `email` or `subject`
   */
  createAccount(user: User, identity: Identity): Promise<void>;
  /** The oldest first. */
  listIdentities(ownerId: string): Promise<Identity[]>;
  /** False when the owner has no such identity. */
  deleteIdentity(ownerId: string, identityId: string): Promise<boolean>;
  /** Notes when it was used. Need not be durable. */
  touchIdentity(ownerId: string, identityId: string, at: Date): Promise<void>;
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
