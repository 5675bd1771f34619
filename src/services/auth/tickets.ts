import { createHash, randomBytes } from 'node:crypto';
import { AppError } from '../../lib/errors.ts';
import type { Actor } from './actor.ts';
import type { AuthParts } from './deps.ts';

const TICKET_TTL_SECONDS = 30;
const RANDOM_BYTES = 32;
/** Behind them, in the ticket itself, milliseconds since 1970: only its hash is stored, so nobody can write in another time. */
const TIME_BYTES = 6;
const TICKET = /^[\w-]{51}$/;

export interface IssuedTicket {
  readonly ticket: string;
  readonly expiresInSeconds: number;
}

/** What a spent ticket stands for. */
export interface SpentTicket {
  readonly loginId: string;
  /** When the credential ends that the ticket was bought with, and with it what the ticket opens. */
  readonly credentialExpiresAt: Date;
}

const hashOf = (ticket: string): string => createHash('sha256').update(ticket).digest('hex');

const ticketOf = (credentialExpiresAt: Date): string => {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeUIntBE(credentialExpiresAt.getTime(), 0, TIME_BYTES);
  return Buffer.concat([randomBytes(RANDOM_BYTES), time]).toString('base64url');
};

/** One-use passes of 256 random bits for URLs where a browser cannot set a header. */
export const createTickets = ({ stores, clock }: Pick<AuthParts, 'stores' | 'clock'>) => ({
  /** @throws AppError `FORBIDDEN` for who is not logged in, but has an API key */
  createTicket: async ({ ownerId, loginId, expiresAt }: Actor): Promise<IssuedTicket> => {
    if (loginId === null || expiresAt === null) throw new AppError('FORBIDDEN');
    const ticket = ticketOf(expiresAt);
    await stores.logins.createTicket({
      hash: hashOf(ticket),
      ownerId,
      loginId,
      expiresAt: new Date(clock.now() + TICKET_TTL_SECONDS * 1000),
    });
    return { ticket, expiresInSeconds: TICKET_TTL_SECONDS };
  },

  /**
   * @throws AppError `TOKEN_INVALID`: unknown, spent or expired, which are not told apart; `TOKEN_EXPIRED`: it was good, and
   *   the credential that it was bought with has ended since
   */
  spendTicket: async (ticket: string): Promise<SpentTicket> => {
    const isOne = TICKET.test(ticket);
    const spent = isOne ? await stores.logins.spendTicket(hashOf(ticket), new Date(clock.now())) : null;
    if (!spent || spent.loginId === null) throw new AppError('TOKEN_INVALID');
    const time = Buffer.from(ticket, 'base64url').readUIntBE(RANDOM_BYTES, TIME_BYTES);
    if (time <= clock.now()) throw new AppError('TOKEN_EXPIRED');
    return { loginId: spent.loginId, credentialExpiresAt: new Date(time) };
  },
});
