import type { Ticket } from '../entities.ts';
import { nullableText, rowSchema } from './schema.ts';

/** `_id` is the ticket's hash. */
export interface TicketRow extends Omit<Ticket, 'hash'> {
  readonly _id: string;
}

export const ticketSchema = rowSchema<TicketRow>({
  ownerId: String,
  loginId: nullableText,
  expiresAt: Date,
});
ticketSchema.index({ ownerId: 1 });
ticketSchema.index({ expiresAt: 1 });
