import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { MailToken, User } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';

const MINUTE_MS = 60_000;
const TTL_MS = { verify: 24 * 60 * MINUTE_MS, reset: 30 * MINUTE_MS, move: 24 * 60 * MINUTE_MS } as const;

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

interface Parts {
  readonly stores: Pick<Stores, 'mailTokens'>;
  readonly clock: Clock;
}

/** What the links of mails hold: 256 random bits, good once, of which the store has a hash alone. */
export const createMailTokens = ({ stores, clock }: Parts) => ({
  /** A new token for the address that the account has now, or is to have; older ones of the kind are void. */
  issueToken: async (kind: MailToken['kind'], { id: ownerId, email }: Pick<User, 'id' | 'email'>): Promise<string> => {
    const token = randomBytes(32).toString('base64url');
    const expiresAt = new Date(clock.now() + TTL_MS[kind]);
    await stores.mailTokens.putMailToken({ kind, ownerId, hash: hashOf(token), email, expiresAt });
    return token;
  },
  /** Null: unknown, spent, void or expired, or of another kind. */
  trySpend: (kind: MailToken['kind'], token: string): Promise<MailToken | null> =>
    stores.mailTokens.spendMailToken(kind, hashOf(token), new Date(clock.now())),
  /** @throws AppError `TOKEN_INVALID`: unknown, spent, void or expired, which are not told apart */
  spendToken: async (kind: MailToken['kind'], token: string): Promise<MailToken> => {
    const spent = await stores.mailTokens.spendMailToken(kind, hashOf(token), new Date(clock.now()));
    if (!spent) throw invalidLink();
    return spent;
  },
});

export type MailTokens = ReturnType<typeof createMailTokens>;

export const invalidLink = (): AppError =>
  new AppError('TOKEN_INVALID', { detail: 'The link is not good, or not any more: ask for a new one' });
