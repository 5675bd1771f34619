import { join, resolve } from 'node:path';
import { parseFailpoints } from '../lib/failpoints.ts';
import type { Config } from './config.types.ts';
import { NOT_YET, VARIABLES, type ValueOf, type VariableName } from './env.schema.ts';
import { oidcProblems, readProviders } from './oidc.ts';
import { readVariable, type Env, type Source } from './read.ts';
import { secretProblems } from './secrets.ts';

export type { Config } from './config.types.ts';
export type { OidcProviderConfig } from './oidc.ts';
export type { WeightedModel } from './values.ts';

/** Everything that is wrong with the environment, one line each; never a secret's value. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

type Read = <K extends VariableName>(name: K) => ValueOf<K>;

const createReader =
  (source: Source): Read =>
  (name) =>
    readVariable(name, VARIABLES[name], source);

const serverConfig = (read: Read): Config['server'] => {
  const publicUrl = read('PUBLIC_URL') ?? null;
  return {
    port: read('PORT'),
    host: read('HOST'),
    publicUrl,
    corsOrigins: [...(read('CORS_ORIGINS') ?? []), ...(publicUrl === null ? [] : [new URL(publicUrl).origin])],
    trustProxyHops: read('TRUST_PROXY'),
  };
};

const databaseConfig = (read: Read): Config['database'] => {
  const dataDir = resolve(read('DATA_DIR'));
  return {
    mongodbUri: read('MONGODB_URI') ?? null,
    dataDir,
    sqliteFile: join(dataDir, 'parley.db'),
    chatRetentionDays: read('CHAT_RETENTION_DAYS'),
  };
};

const llmConfig = (read: Read, hasEndpoint: boolean): Config['llm'] => ({
  provider: read('LLM_PROVIDER') ?? (hasEndpoint ? 'openrouter' : 'simulator'),
  apiKey: read('OPENROUTER_API_KEY') ?? null,
  baseUrl: read('OPENROUTER_BASE_URL'),
  models: read('OPENROUTER_MODELS'),
  affinity: read('ROUTER_AFFINITY'),
  freeRequestsPerMinute: read('ROUTER_FREE_RPM'),
  systemPrompt: read('SYSTEM_PROMPT'),
  temperature: read('TEMPERATURE'),
  maxOutputTokens: read('MAX_OUTPUT_TOKENS'),
  allowClientSystemPrompt: read('ALLOW_CLIENT_SYSTEM_PROMPT'),
  midStreamFailover: read('MID_STREAM_FAILOVER'),
  modelConcurrency: read('LLM_MODEL_CONCURRENCY'),
  timeouts: {
    connectMs: read('LLM_CONNECT_TIMEOUT'),
    headersMs: read('LLM_HEADERS_TIMEOUT'),
    firstTokenMs: read('LLM_FIRST_TOKEN_TIMEOUT'),
    idleMs: read('LLM_IDLE_TIMEOUT'),
    totalMs: read('LLM_TOTAL_TIMEOUT'),
  },
});

const authConfig = (read: Read): Config['auth'] => ({
  jwtSecret: read('JWT_SECRET') ?? null,
  jwtSecretPrevious: read('JWT_SECRET_PREVIOUS') ?? null,
  jwtIssuer: read('JWT_ISSUER'),
  accessTokenTtlMs: read('ACCESS_TOKEN_TTL'),
  refreshTokenTtlMs: read('REFRESH_TOKEN_TTL'),
  bcryptCost: read('BCRYPT_COST'),
  passwordPepper: read('PASSWORD_PEPPER') ?? null,
  passwordRules: read('PASSWORD_RULES'),
  oauthPasswordGrant: read('OAUTH_PASSWORD_GRANT'),
  totpIssuer: read('TOTP_ISSUER'),
  auditRetentionDays: read('AUDIT_RETENTION_DAYS'),
  admin: { username: read('ADMIN_USERNAME'), email: read('ADMIN_EMAIL'), password: read('ADMIN_PASSWORD') ?? null },
});

/** What addresses that are given away begin with: never what a request's `Host` says. */
const publicBase = ({ publicUrl, port }: Config['server']): string => publicUrl ?? `http://localhost:${String(port)}`;

const mailConfig = (read: Read, server: Config['server']): Config['mail'] => ({
  smtpUrl: read('SMTP_URL') ?? null,
  from: read('MAIL_FROM') ?? '',
  requireVerification: read('REQUIRE_EMAIL_VERIFICATION'),
  baseUrl: publicBase(server),
  paths: { verify: read('MAIL_VERIFY_PATH'), reset: read('MAIL_RESET_PATH') },
});

const oidcConfig = (read: Read, server: Config['server'], source: Source): Config['oidc'] => ({
  providers: readProviders(read('OIDC_PROVIDERS') ?? [], source),
  appSchemes: read('OIDC_APP_SCHEMES') ?? [],
  baseUrl: publicBase(server),
});

/** Mails that could not be sent, or whose links would lead nowhere. */
const mailProblems = ({ mail, server, isProduction }: Config): string[] => [
  ...(mail.smtpUrl !== null && server.publicUrl === null
    ? ['SMTP_URL needs PUBLIC_URL: the links in mails begin with it']
    : []),
  ...(mail.smtpUrl !== null && mail.from === '' ? ['SMTP_URL needs MAIL_FROM: who the mails are from'] : []),
  ...(mail.requireVerification && mail.smtpUrl === null && isProduction
    ? ['REQUIRE_EMAIL_VERIFICATION needs SMTP_URL: without mail nobody could log in']
    : []),
];

const chatConfig = (read: Read): Config['chat'] => ({
  contextMaxMessages: read('CONTEXT_MAX_MESSAGES'),
  contextMaxTokens: read('CONTEXT_MAX_TOKENS'),
  contextCacheBytes: read('CONTEXT_CACHE_MB') * 1024 * 1024,
  messageMaxChars: read('MESSAGE_MAX_CHARS'),
  responseWaitMs: read('RESPONSE_WAIT'),
  replyLog: read('REPLY_LOG'),
});

/** Not in the table of variables: it is nothing that an operator can set. */
const readFailpoints = ({ NODE_ENV, PARLEY_FAILPOINTS }: Env, problems: string[]): Config['failpoints'] => {
  if (!PARLEY_FAILPOINTS) return [];
  if (NODE_ENV !== 'test') problems.push('PARLEY_FAILPOINTS makes the server fail on purpose: with NODE_ENV=test only');
  try {
    return parseFailpoints(PARLEY_FAILPOINTS);
  } catch (error) {
    problems.push(`PARLEY_FAILPOINTS ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
};

/** What a laptop may do and a production server may not. */
const productionProblems = (config: Config, isModelSourceSaid: boolean): string[] => [
  ...(config.auth.jwtSecret === null ? ['JWT_SECRET must be set in production: openssl rand -base64 48'] : []),
  ...secretProblems(config),
  ...(config.auth.bcryptCost < 10 ? ['BCRYPT_COST must be at least 10 in production'] : []),
  ...(isModelSourceSaid
    ? []
    : ['OPENROUTER_API_KEY or OPENROUTER_BASE_URL must be set in production, or LLM_PROVIDER=simulator on purpose']),
];

/** Freezes a plain tree, so that nobody can change the configuration while it is used. */
const deepFreeze = <T extends object>(value: T): T => {
  for (const item of Object.values(value)) if (item !== null && typeof item === 'object') deepFreeze(item);
  return Object.freeze(value);
};

/**
 * The configuration, read once at start.
 * @throws ConfigError with every problem at once
 */
export const loadConfig = (env: Env): Config => {
  const problems: string[] = [];
  const read = createReader({ env, problems });
  const isProduction = read('NODE_ENV') === 'production';
  const hasEndpoint = Boolean(env.OPENROUTER_API_KEY || env.OPENROUTER_API_KEY_FILE || env.OPENROUTER_BASE_URL);
  const server = serverConfig(read);
  const isTerminal = process.stdout.isTTY;
  const config: Config = {
    isProduction,
    server,
    log: { level: read('LOG_LEVEL'), format: read('LOG_FORMAT') ?? (isTerminal ? 'text' : 'json') },
    database: databaseConfig(read),
    llm: llmConfig(read, hasEndpoint),
    auth: authConfig(read),
    mail: mailConfig(read, server),
    oidc: oidcConfig(read, server, { env, problems }),
    limits: {
      authPerMinute: read('RATE_LIMIT_AUTH_PER_MINUTE'),
      apiPerMinute: read('RATE_LIMIT_API_PER_MINUTE'),
      chatPerSecond: read('RATE_LIMIT_CHAT_PER_SECOND'),
      connectionsPerUser: read('MAX_CONNECTIONS_PER_USER'),
      loginThrottle: read('LOGIN_THROTTLE'),
    },
    quotas: {
      concurrentReplies: read('QUOTA_CONCURRENT_REPLIES'),
      tokensPerDay: read('QUOTA_TOKENS_PER_DAY'),
      costMicroUsdPerDay: read('QUOTA_COST_MICRO_USD_PER_DAY'),
    },
    chat: chatConfig(read),
    openai: { bodyMaxBytes: read('OPENAI_BODY_MAX_MB') * 1024 * 1024, heartbeatMs: read('OPENAI_HEARTBEAT') },
    ignored: NOT_YET.filter((name) => Boolean(env[name])),
    failpoints: readFailpoints(env, problems),
  };
  if (isProduction) problems.push(...productionProblems(config, hasEndpoint || Boolean(env.LLM_PROVIDER)));
  problems.push(...mailProblems(config), ...oidcProblems({ ...config.oidc, ...server, isProduction }));
  if (config.llm.provider === 'openrouter' && !hasEndpoint) {
    problems.push('LLM_PROVIDER=openrouter needs OPENROUTER_API_KEY or OPENROUTER_BASE_URL');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(config);
};
