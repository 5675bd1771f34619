import type { Config } from '../../config/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { User } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { Audit } from '../audit/index.ts';
import type { EventBus } from '../events.ts';
import type { Limiter } from '../limits/index.ts';
import type { Mailer } from '../mail/index.ts';
import type { Challenges } from './challenges.ts';
import type { DeviceTokens } from './devices.ts';
import type { MailTokens } from './mailTokens.ts';
import type { PasswordRules } from './passwordRules.ts';
import type { Passwords } from './passwords.ts';
import type { RefreshTokens } from './refreshTokens.ts';
import type { SecondFactors } from './secondFactors.ts';
import type { Session } from './session.ts';
import type { FailureGates, Throttle } from './throttle.ts';
import type { AccessTokens } from './tokens.ts';

/** What the container gives the auth service. */
export interface AuthDependencies {
  readonly stores: Pick<Stores, 'users' | 'logins' | 'apiKeys' | 'mailTokens' | 'secondFactors' | 'identities'>;
  readonly config: Pick<Config, 'auth' | 'mail' | 'oidc' | 'server' | 'database' | 'isProduction'>;
  readonly events: EventBus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly passwords: Passwords;
  readonly audit: Audit;
  readonly mailer: Mailer;
  readonly limits: { readonly mails: Limiter; readonly failures: FailureGates | null };
}

/** What its use cases share, assembled in index.ts. */
export interface AuthParts extends AuthDependencies {
  readonly rules: PasswordRules;
  readonly accessTokens: AccessTokens;
  readonly refreshTokens: RefreshTokens;
  readonly devices: DeviceTokens;
  readonly mailTokens: MailTokens;
  readonly mailLimit: Limiter;
  readonly throttle: Throttle;
  readonly challenges: Challenges;
  readonly secondFactors: SecondFactors;
  /** What follows a proved login, the same for every way in. */
  readonly completeLogin: CompleteLogin;
}

/** Which part of a list is wanted. */
export interface PageQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** From where a request came, as the owner of a login may see it. */
export interface Client {
  readonly ip: string;
  /** The `User-Agent`, as sent. */
  readonly device: string;
  /** By which a device shows that its user logged in on it before. */
  readonly deviceToken?: string | undefined;
}

/** What somebody showed to be let in as a user. */
export interface LoginProof {
  /** For the audit log and the sign-in history: `password`, `password+totp`, `oidc:google`. */
  readonly method: string;
  /** Whether a second factor is part of it. */
  readonly hasSecondFactor: boolean;
  /** Whether it lets in to the account as it is now, read once more after the login was stored. */
  readonly isStillGood: (user: User) => boolean | Promise<boolean>;
}

export type CompleteLogin = (user: User, proof: LoginProof, client: Client) => Promise<Session>;
