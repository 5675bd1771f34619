import { z } from 'zod';
import {
  appSchemes,
  boolean,
  decimal,
  duration,
  httpUrl,
  linkPath,
  models,
  oidcScopes,
  origins,
  providerIds,
  secret,
  trimmedUrl,
  UNIT_MS,
  variable,
  wholeNumber,
  type ValueOfVariable,
  type Variable,
} from './values.ts';

const server = variable('Server');
const database = variable('Database');
const llm = variable('Models');
const auth = variable('Accounts');
const mail = variable('Mail');
const oidc = variable('OpenID Connect');
const limits = variable('Limits');
const chat = variable('Chat');
const openai = variable('OpenAI-compatible door (`/v1`)');
const DAY = UNIT_MS.d ?? NaN;
const MINUTE = UNIT_MS.m ?? NaN;
/** What `wholeNumber` can read. */
const MAX_QUOTA = 999_999_999_999;

/** Every variable the server reads. `.env.example` and `docs/configuration.md` are generated from this table. */
export const VARIABLES = {
  NODE_ENV: server(
    z.enum(['development', 'production', 'test']),
    'development',
    '`production` refuses weak secrets and an unsaid simulator',
  ),
  PORT: server(wholeNumber(0, 65535), '3000', 'TCP port; `0` takes a free one'),
  HOST: server(z.string().min(1), '127.0.0.1', 'Address to listen on; the container sets `0.0.0.0`'),
  PUBLIC_URL: server(trimmedUrl, undefined, 'The address that users know; the base of links, and an allowed origin'),
  CORS_ORIGINS: server(
    origins,
    undefined,
    'Comma-separated origins of frontends, besides the server’s own; `*` is refused',
  ),
  TRUST_PROXY: server(wholeNumber(0, 10), '0', 'How many proxies stand in front: whose `X-Forwarded-For` is believed'),
  LOG_LEVEL: server(z.enum(['debug', 'info', 'warn', 'error']), 'info', 'The least serious line that is logged'),
  LOG_FORMAT: server(
    z.enum(['json', 'text']),
    undefined,
    'JSON lines, or text for a person; unset: text at a terminal, else JSON',
  ),

  MONGODB_URI: secret(
    database(
      z.string().regex(/^mongodb(\+srv)?:\/\/\S+$/, 'must begin with mongodb:// or mongodb+srv://'),
      undefined,
      'Set: MongoDB. Unset: the embedded SQLite file `DATA_DIR/parley.db`',
    ),
  ),
  DATA_DIR: database(z.string().min(1), './data', 'The embedded database and generated development secrets'),
  CHAT_RETENTION_DAYS: database(wholeNumber(0, 36_500), '0', 'Delete chats idle for longer; `0` keeps them'),

  LLM_PROVIDER: llm(
    z.enum(['openrouter', 'simulator']),
    undefined,
    'Unset: OpenRouter when a key or a base URL is set, else the built-in simulator; production wants `simulator` said',
  ),
  OPENROUTER_API_KEY: secret(llm(z.string().min(1), undefined, 'Key of OpenRouter, or of whatever the base URL names')),
  OPENROUTER_BASE_URL: llm(
    trimmedUrl,
    'https://openrouter.ai/api/v1',
    'Any OpenAI-compatible endpoint: Ollama, vLLM, LiteLLM',
  ),
  OPENROUTER_MODELS: llm(
    models,
    'openai/gpt-5-mini,google/gemini-2.5-flash,anthropic/claude-haiku-4.5',
    'The rotation: `slug` or `slug=weight`, comma-separated',
  ),
  ROUTER_AFFINITY: llm(
    z.enum(['message', 'chat']),
    'message',
    '`message`: each message takes the next model; `chat`: a chat keeps its model',
  ),
  ROUTER_FREE_RPM: llm(
    wholeNumber(0, 10_000),
    '20',
    'Calls of all `:free` models in a minute, for each node (N nodes: divide OpenRouter’s 20); `0`: no limit',
  ),
  SYSTEM_PROMPT: llm(z.string().max(8000), 'You are a helpful assistant.', 'Sent with every request'),
  TEMPERATURE: llm(decimal(0, 2), '0.7', 'Sampling temperature'),
  MAX_OUTPUT_TOKENS: llm(wholeNumber(16, 1_000_000), '1024', 'The longest reply, in tokens'),
  ALLOW_CLIENT_SYSTEM_PROMPT: llm(boolean, 'false', 'Whether a client may send its own system prompt'),
  LLM_CONNECT_TIMEOUT: llm(duration(100, 10 * MINUTE), '3s', 'Longest wait for a connection to the model endpoint'),
  LLM_HEADERS_TIMEOUT: llm(duration(100, 10 * MINUTE), '10s', 'Longest wait for the headers of a model’s answer'),
  LLM_FIRST_TOKEN_TIMEOUT: llm(duration(100, 10 * MINUTE), '10s', 'Longest wait for a model’s first token'),
  LLM_IDLE_TIMEOUT: llm(duration(100, 10 * MINUTE), '20s', 'Longest silence between two tokens'),
  LLM_MODEL_CONCURRENCY: llm(
    wholeNumber(1, 100_000),
    '512',
    'Calls that may run at one model at once; 256 more wait for at most 10 s',
  ),
  MID_STREAM_FAILOVER: llm(
    boolean,
    'false',
    'Whether another model continues a reply that broke off, unless a send says (`midStreamFailover`)',
  ),
  LLM_TOTAL_TIMEOUT: llm(duration(1000, 60 * MINUTE), '10m', 'Longest reply'),

  JWT_SECRET: secret(
    auth(
      z.string().min(1),
      undefined,
      'Signs access tokens, ≥ 32 bytes; unset in development: made once in `DATA_DIR`',
    ),
  ),
  JWT_SECRET_PREVIOUS: secret(
    auth(
      z.string().min(1),
      undefined,
      'Still accepted after a change of `JWT_SECRET`: keep it for `REFRESH_TOKEN_TTL`, refresh tokens hang on it too; second factors move to the new one at start',
    ),
  ),
  JWT_ISSUER: auth(z.string().min(1).max(255), 'parley', '`iss` and `aud` of access tokens'),
  ACCESS_TOKEN_TTL: auth(duration(60_000, DAY), '15m', 'How long an access token is good'),
  REFRESH_TOKEN_TTL: auth(
    duration(60_000, 400 * DAY),
    '30d',
    'How long a login lasts at most; idle ones end after 7 days',
  ),
  BCRYPT_COST: auth(wholeNumber(4, 16), '12', 'Work factor of password hashes; at least 10 in production'),
  PASSWORD_PEPPER: secret(
    auth(z.string().min(1), undefined, 'Keyed into every password hash; changing it voids them all'),
  ),
  PASSWORD_RULES: auth(z.enum(['full', 'length']), 'full', '`length` drops the upper, lower and digit rule'),
  OAUTH_PASSWORD_GRANT: auth(boolean, 'true', 'Whether `POST /api/auth/token` takes `grant_type=password`'),
  TOTP_ISSUER: auth(
    z.string().regex(/^[^:\s](?:[^:\r\n]{0,62}[^:\s])?$/, 'must have 1–64 characters and no colon'),
    'Parley',
    'Name of the service in authenticator apps',
  ),
  AUDIT_RETENTION_DAYS: auth(
    wholeNumber(1, 36_500),
    '400',
    'Days for which security events are kept; the sign-in history is the last 90 of them',
  ),
  ADMIN_USERNAME: auth(
    z.string().regex(/^[A-Za-z0-9_]{3,50}$/, 'must have 3–50 characters of A–Z, a–z, 0–9 and _'),
    'admin',
    'The admin made at the first start',
  ),
  ADMIN_EMAIL: auth(
    z.email().transform((value) => value.toLowerCase()),
    'admin@localhost.invalid',
    'Its e-mail address',
  ),
  ADMIN_PASSWORD: secret(
    auth(
      z.string().min(8).max(128),
      undefined,
      'Its password; unset: no admin in production, in development one in `DATA_DIR/admin-password`',
    ),
  ),

  SMTP_URL: secret(
    mail(
      z
        .string()
        .regex(/^smtps?:\/\/[^\s/]+\S*$/, 'must begin with smtp:// or smtps://')
        .refine((value) => URL.canParse(value), 'must be a URL: special signs in a password are written as %40'),
      undefined,
      'Where mails go, such as `smtps://user:password@smtp.example.com`; needs `PUBLIC_URL` and `MAIL_FROM`. Unset: to the log in development, nowhere in production',
    ),
  ),
  MAIL_FROM: mail(
    z.string().regex(/^[^\r\n]*@[^\r\n]*$/, 'must be an address, or a name and an address in <>'),
    undefined,
    'Who mails are from: `Example Chat <no-reply@example.com>`',
  ),
  REQUIRE_EMAIL_VERIFICATION: mail(
    boolean,
    'false',
    'Whether an account can be used only after the link in its mail was followed',
  ),
  MAIL_VERIFY_PATH: mail(
    linkPath,
    '/verify-email',
    'Page of the frontend, under `PUBLIC_URL`, that sends the token to `POST /api/auth/verify-email`',
  ),
  MAIL_RESET_PATH: mail(
    linkPath,
    '/reset-password',
    'Page of the frontend, under `PUBLIC_URL`, that asks for a new password and sends it to `POST /api/auth/reset-password`',
  ),

  OIDC_PROVIDERS: oidc(
    providerIds,
    undefined,
    'Names of the providers that users may sign in with, such as `google,corp`; each has the variables below, `<NAME>` in capitals and `_` for `-`',
  ),
  OIDC_APP_SCHEMES: oidc(
    appSchemes,
    undefined,
    'URL schemes of apps that a sign-in may lead back to, such as `com.example.chat`',
  ),

  RATE_LIMIT_AUTH_PER_MINUTE: limits(
    wholeNumber(0, 1_000_000),
    '5',
    'Sign-ups, logins and asked-for mails per IP address; `0` turns it off',
  ),
  LOGIN_THROTTLE: limits(
    boolean,
    'true',
    'Whether wrong passwords and codes cost time: five per account are free, then the wait doubles up to 15 minutes; 20 per IP address in 15 minutes',
  ),
  RATE_LIMIT_API_PER_MINUTE: limits(
    wholeNumber(0, 1_000_000),
    '100',
    'All other requests, per user or else per IP address; `0` turns it off',
  ),
  RATE_LIMIT_CHAT_PER_SECOND: limits(wholeNumber(0, 1_000_000), '10', 'Sends per user; `0` turns it off'),
  MAX_CONNECTIONS_PER_USER: limits(
    wholeNumber(0, 1_000_000),
    '50',
    'Open sockets and event streams per user on a node; `0` turns it off',
  ),

  QUOTA_TOKENS_PER_DAY: limits(wholeNumber(0, MAX_QUOTA), '0', 'Tokens per user and UTC day; `0`: no quota'),
  QUOTA_COST_MICRO_USD_PER_DAY: limits(
    wholeNumber(0, MAX_QUOTA),
    '0',
    'Millionths of a US dollar per user and UTC day; `0`: no quota',
  ),
  QUOTA_CONCURRENT_REPLIES: limits(
    wholeNumber(0, 1_000_000),
    '5',
    'Answers per user at the same time: chats that are being answered and `/v1` calls; `0`: no quota',
  ),

  CONTEXT_MAX_MESSAGES: chat(wholeNumber(1, 1000), '20', 'Messages of the chat that a model is shown'),
  CONTEXT_MAX_TOKENS: chat(
    wholeNumber(100, 10_000_000),
    '8000',
    'Tokens of system prompt and messages that a model is shown',
  ),
  CONTEXT_CACHE_MB: chat(wholeNumber(1, 65_536), '64', 'Memory for recent chats'),
  MESSAGE_MAX_CHARS: chat(wholeNumber(1, 50_000), '8000', 'The longest message, in characters'),
  RESPONSE_WAIT: chat(
    duration(100, 10 * MINUTE),
    '50s',
    'How long a JSON answer waits for the reply before it is a 202',
  ),
  REPLY_LOG: chat(
    z.enum(['tick', 'second', 'end']),
    'tick',
    'When the text of a running reply is stored: `tick`: before it is shown; `second`: once a second, `end`: when the reply ends; with both, text that was shown is taken back when the process dies',
  ),

  OPENAI_BODY_MAX_MB: openai(
    wholeNumber(1, 100),
    '10',
    'The largest body of a completion, in megabytes: pictures are in it',
  ),
  OPENAI_HEARTBEAT: openai(
    duration(100, 5 * MINUTE),
    '15s',
    'Silence after which a stream shows life with a comment; errors are told inside it from then on',
  ),
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof VARIABLES;

export type ValueOf<K extends VariableName> = ValueOfVariable<(typeof VARIABLES)[K]>;

/** What each provider that `OIDC_PROVIDERS` names is configured by; `<NAME>` stands for its name. */
export const OIDC_PROVIDER_VARIABLES = {
  'OIDC_<NAME>_ISSUER': oidc(httpUrl, undefined, 'Its issuer, such as `https://accounts.google.com`'),
  'OIDC_<NAME>_CLIENT_ID': oidc(z.string().min(1), undefined, 'The client that was registered there'),
  'OIDC_<NAME>_CLIENT_SECRET': secret(oidc(z.string().min(1), undefined, 'Its secret; unset for a public client')),
  'OIDC_<NAME>_SCOPES': oidc(oidcScopes, 'openid email profile', 'What is asked for'),
  'OIDC_<NAME>_LABEL': oidc(z.string().max(100), undefined, 'What a login page calls it; unset: its name'),
  'OIDC_<NAME>_TRUST_EMAIL': oidc(
    boolean,
    'true',
    'Whether its `email_verified` is believed; `false` where users choose their address themselves: then no account is found by address',
  ),
} as const satisfies Record<string, Variable>;

export type ProviderVariableName = keyof typeof OIDC_PROVIDER_VARIABLES;

/** Variables of the wire contract that this version does not act on; setting one is answered by a warning at start. */
export const NOT_YET = ['REDIS_URL', 'METRICS_TOKEN'] as const;
