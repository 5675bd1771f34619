import type { Role, Scope } from '../../models/entities.ts';

export type { Scope } from '../../models/entities.ts';

/** Who asks: every decision is made on this, never on a request or a socket. */
export interface Actor {
  readonly userId: string;
  /** Whose data: today the user's own account. */
  readonly ownerId: string;
  readonly role: Role;
  readonly scopes: readonly Scope[];
  readonly loginId: string | null;
  readonly keyId: string | null;
  /** How the credentials came. A cookie is sent by browsers unasked, so it needs an origin check. */
  readonly via: 'bearer' | 'cookie' | 'ticket';
  /** When the credentials end; null when they do not by themselves. */
  readonly expiresAt: Date | null;
}
