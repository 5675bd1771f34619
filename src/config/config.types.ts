import type { Failpoint } from '../lib/failpoints.ts';
import type { OidcProviderConfig } from './oidc.ts';
import type { WeightedModel } from './values.ts';

/** The settings of a process, read once at its start and never changed. */
export interface Config {
  readonly isProduction: boolean;
  readonly server: {
    readonly port: number;
    readonly host: string;
    readonly publicUrl: string | null;
    /** Frontends' origins besides the server's own. */
    readonly corsOrigins: readonly string[];
    readonly trustProxyHops: number;
  };
  readonly log: { readonly level: string; readonly format: 'json' | 'text' };
  readonly database: {
    readonly mongodbUri: string | null;
    readonly dataDir: string;
    readonly sqliteFile: string;
    readonly chatRetentionDays: number;
  };
  readonly llm: {
    readonly provider: 'openrouter' | 'simulator';
    readonly apiKey: string | null;
    readonly baseUrl: string;
    readonly models: readonly WeightedModel[];
    readonly affinity: 'message' | 'chat';
    /** Of all `:free` models together; 0: no limit. */
    readonly freeRequestsPerMinute: number;
    readonly systemPrompt: string;
    readonly temperature: number;
    readonly maxOutputTokens: number;
    readonly allowClientSystemPrompt: boolean;
    readonly midStreamFailover: boolean;
    readonly modelConcurrency: number;
    readonly timeouts: {
      readonly connectMs: number;
      readonly headersMs: number;
      readonly firstTokenMs: number;
      readonly idleMs: number;
      readonly totalMs: number;
    };
  };
  readonly auth: {
    /** Null only until development secrets are made (`withDevelopmentSecrets`). */
    readonly jwtSecret: string | null;
    readonly jwtSecretPrevious: string | null;
    readonly jwtIssuer: string;
    readonly accessTokenTtlMs: number;
    readonly refreshTokenTtlMs: number;
    readonly bcryptCost: number;
    readonly passwordPepper: string | null;
    readonly passwordRules: 'full' | 'length';
    readonly oauthPasswordGrant: boolean;
    readonly totpIssuer: string;
    readonly auditRetentionDays: number;
    readonly admin: { readonly username: string; readonly email: string; readonly password: string | null };
  };
  readonly mail: {
    readonly smtpUrl: string | null;
    readonly from: string;
    readonly requireVerification: boolean;
    /** What links begin with, without a slash at the end. */
    readonly baseUrl: string;
    readonly paths: { readonly verify: string; readonly reset: string };
  };
  /** Sign-in by other services (OpenID Connect). */
  readonly oidc: {
    readonly providers: readonly OidcProviderConfig[];
    /** What addresses of apps begin with that a sign-in may lead back to, without `:`. */
    readonly appSchemes: readonly string[];
    /** Where the API is, as providers are told; without a slash at the end. */
    readonly baseUrl: string;
  };
  readonly limits: {
    readonly authPerMinute: number;
    readonly apiPerMinute: number;
    readonly chatPerSecond: number;
    readonly connectionsPerUser: number;
    readonly loginThrottle: boolean;
  };
  /** Per user; 0: none. */
  readonly quotas: {
    readonly concurrentReplies: number;
    readonly tokensPerDay: number;
    readonly costMicroUsdPerDay: number;
  };
  readonly chat: {
    readonly contextMaxMessages: number;
    readonly contextMaxTokens: number;
    readonly contextCacheBytes: number;
    readonly messageMaxChars: number;
    readonly responseWaitMs: number;
    readonly replyLog: 'tick' | 'second' | 'end';
  };
  /** The door at `/v1`. */
  readonly openai: {
    readonly bodyMaxBytes: number;
    readonly heartbeatMs: number;
  };
  /** Variables that are set and that this version does not act on. */
  readonly ignored: readonly string[];
  /** Where this process is to fail, for the tests of that; empty but with `NODE_ENV=test`. */
  readonly failpoints: readonly Failpoint[];
}
