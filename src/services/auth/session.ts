import type { User } from '../../models/entities.ts';

/** What a client gets that proved who it is. */
export interface Session {
  readonly loginId: string;
  readonly user: User;
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  readonly refreshToken: string;
  /** When the refresh token ends if it is not used. */
  readonly refreshExpiresAt: Date;
  /** For the device to keep, after a login or a signup. */
  readonly deviceToken?: string;
}
