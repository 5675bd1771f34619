import type { User } from '../../../models/entities.ts';

/** An address that no mail reaches (RFC 2606), for an account whose provider vouches for none. */
export const nobodysAddress = (userId: string): string => `${userId}@oidc.invalid`;

/** Whether an account has neither a password nor an address by which its user could set one. */
export const hasNoAddress = ({ id, email, passwordHash }: User): boolean =>
  passwordHash === '' && email === nobodysAddress(id);
