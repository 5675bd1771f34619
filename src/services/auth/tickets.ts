import { createHash, randomBytes } from 'node:crypto';
import { AppError } from '../../lib/errors.ts';
import type { Ticket } from '../../models/entities.ts';
import type { Actor } from './actor.ts';
import type { AuthParts } from './deps.ts';

const TICKET_TTL_SECONDS = 30;

export interface IssuedTicket {
  readonly ticket: string;
  readonly expiresInSeconds: number;
}

const hashOf = (ticket: string): string => createHash('sha256').update(ticket).digest('hex');

/** One-use passes of 256 random bits for URLs where a browser cannot set a header. */
export const createTickets = ({ stores, clock }: Pick<AuthParts, 'stores' | 'clock'>) => ({
  createTicket: async (actor: Actor): Promise<IssuedTicket> => {
    const ticket = randomBytes(32).toString('base64url');
    await stores.logins.createTicket({
      hash: hashOf(ticket),
      ownerId: actor.ownerId,
      loginId: actor.loginId,
      expiresAt: new Date(clock.now() + TICKET_TTL_SECONDS * 1000),
    });
    return { ticket, expiresInSeconds: TICKET_TTL_SECONDS };
  },

  /** @throws AppError `TOKEN_INVALID`: unknown, spent or expired, which are not told apart */
  spendTicket: async (ticket: string): Promise<Ticket> => {
    const spent = await stores.logins.spendTicket(hashOf(ticket), new Date(clock.now()));
    if (!spent) throw new AppError('TOKEN_INVALID');
    return spent;
  },
});
