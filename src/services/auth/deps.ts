import type { Config } from '../../config/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Stores } from '../../models/stores.ts';
import type { EventBus } from '../events.ts';
import type { PasswordRules } from './passwordRules.ts';
import type { Passwords } from './passwords.ts';
import type { RefreshTokens } from './refreshTokens.ts';
import type { AccessTokens } from './tokens.ts';

/** What the container gives the auth service. */
export interface AuthDependencies {
  readonly stores: Pick<Stores, 'users' | 'logins'>;
  readonly config: Pick<Config, 'auth' | 'database' | 'isProduction'>;
  readonly events: EventBus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly passwords: Passwords;
}

/** What its use cases share, assembled in index.ts. */
export interface AuthParts extends AuthDependencies {
  readonly rules: PasswordRules;
  readonly accessTokens: AccessTokens;
  readonly refreshTokens: RefreshTokens;
}

/** From where a request came, as the owner of a login may see it. */
export interface Client {
  readonly ip: string;
  /** The `User-Agent`, as sent. */
  readonly device: string;
}
