import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Config } from '../../config/index.ts';
import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { Audit } from '../audit/index.ts';
import { createSecretBox, openJson } from './secretBox.ts';

const TTL_MS = 5 * 60_000;

const contentSchema = z.strictObject({
  ownerId: z.string(),
  method: z.string(),
  /** Of the password's hash: another password voids the token. */
  password: z.string(),
  expiresAt: z.int(),
  nonce: z.string(),
});

/** A login that lacks a second factor. */
export interface Challenge {
  readonly ownerId: string;
  /** How its first factor was proved. */
  readonly method: string;
  /** Whether the account still has the password that it had then. */
  isOf(user: User): boolean;
  /** Takes the token: of any number of calls exactly one is true. */
  spend(): Promise<boolean>;
}

export interface Challenges {
  /** What to throw at who has proved the first factor: `MFA_REQUIRED` with the token by which to go on. */
  ask(user: User, method: string): Promise<AppError>;
  /** @throws AppError `TOKEN_INVALID`: not ours or expired, which are not told apart */
  open(mfaToken: string): Challenge;
}

/** The one answer to a token that is not good, whatever is wrong with it. */
export const invalidChallenge = (): AppError =>
  new AppError('TOKEN_INVALID', { detail: 'The mfaToken is not good, or not any more: begin the login again' });

const markOf = (passwordHash: string): string => createHash('sha256').update(passwordHash).digest('base64url');
/** Tickets of URLs are hashed without the prefix: neither is good as the other. */
const hashOf = (token: string): string => createHash('sha256').update('mfa ').update(token).digest('hex');

interface Parts {
  readonly stores: Pick<Stores, 'logins'>;
  readonly config: Pick<Config, 'auth'>;
  readonly clock: Clock;
  readonly audit: Audit;
}

/**
 * The tokens between the two steps of a login: encrypted, so that any node can read them and nobody else, good for five minutes.
 * That each is good once is remembered where tickets are.
 */
export const createChallenges = ({ stores, config, clock, audit }: Parts): Challenges => {
  const box = createSecretBox(config.auth, 'login challenge');

  const read = (token: string): z.infer<typeof contentSchema> => {
    const content = openJson(box, { sealed: token, context: '' }, contentSchema);
    if (!content || content.expiresAt <= clock.now()) throw invalidChallenge();
    return content;
  };

  return {
    ask: async ({ id: ownerId, passwordHash }, method) => {
      const expiresAt = clock.now() + TTL_MS;
      const nonce = randomBytes(12).toString('base64url');
      const content = { ownerId, method, password: markOf(passwordHash), expiresAt, nonce };
      const mfaToken = box.seal(JSON.stringify(content), '');
      const ticket = { hash: hashOf(mfaToken), ownerId, loginId: null, expiresAt: new Date(expiresAt) };
      await stores.logins.createTicket(ticket);
      audit.record({ action: 'mfa.asked', ownerId, details: { method } });
      return new AppError('MFA_REQUIRED', { extra: { mfaToken } });
    },
    open: (mfaToken) => {
      const { ownerId, method, password } = read(mfaToken);
      return {
        ownerId,
        method,
        isOf: (user) => user.id === ownerId && markOf(user.passwordHash) === password,
        spend: async () =>
          (await stores.logins.spendTicket(hashOf(mfaToken), new Date(clock.now())))?.ownerId === ownerId,
      };
    },
  };
};
