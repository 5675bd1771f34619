import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../../../lib/errors.ts';
import type { AuthParts } from '../deps.ts';
import { createSeal } from './seals.ts';

const TTL_MS = 60_000;

const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');

export interface CodeKind<T> {
  /** Codes of one kind are no good as another. */
  readonly kind: string;
  readonly content: z.ZodType<T>;
}

export interface Codes<T> {
  /** @param ownerId whose account it is about; empty: nobody's yet */
  issueCode(codeChallenge: string, ownerId: string, content: T): Promise<string>;
  /** @throws AppError `TOKEN_INVALID`: not ours, too old, spent, or not for who knows this verifier; which are not told apart */
  spendCode(code: string, codeVerifier: string): Promise<T>;
}

/**
 * What a frontend gets in its address and trades at the API: sealed, good once, for a minute, and only for who knows what its
 * challenge was made of. So a stolen code is of no use, and nobody can be handed one of somebody else's (RFC 7636).
 */
export const createCodes = <T>(
  { stores, config, clock }: Pick<AuthParts, 'stores' | 'config' | 'clock'>,
  { kind, content: schema }: CodeKind<T>,
): Codes<T> => {
  // With a nonce, so that no two are the same.
  const envelope = z.object({ content: schema, codeChallenge: z.string(), nonce: z.string() });
  const seal = createSeal(config.auth, clock, { kind, ttlMs: TTL_MS, content: envelope });
  /** Tickets of URLs are hashed without the prefix: neither is good as the other. */
  const hashOf = (code: string): string => createHash('sha256').update(`${kind} `).update(code).digest('hex');

  return {
    issueCode: async (codeChallenge, ownerId, content) => {
      const code = seal.seal({ content, codeChallenge, nonce: randomBytes(16).toString('base64url') });
      const expiresAt = new Date(clock.now() + TTL_MS);
      await stores.logins.createTicket({ hash: hashOf(code), ownerId, loginId: null, expiresAt });
      return code;
    },
    spendCode: async (code, codeVerifier) => {
      const opened = seal.open(code);
      // First whom it is for: who does not know the verifier cannot use it up either.
      const isTheirs = opened?.codeChallenge === challengeOf(codeVerifier);
      if (!isTheirs || !(await stores.logins.spendTicket(hashOf(code), new Date(clock.now())))) {
        throw new AppError('TOKEN_INVALID', {
          detail: 'The code is not good, or not any more: begin the sign-in again',
        });
      }
      return opened.content;
    },
  };
};
