import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/index.ts';
import { problemsOf } from '../support/configProblems.ts';

describe('loadConfig', () => {
  test('an empty environment is a laptop: SQLite, the simulator, the contract’s limits', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      isProduction: false,
      server: { port: 3000, host: '127.0.0.1', corsOrigins: [], trustProxyHops: 0 },
      database: { mongodbUri: null },
      llm: { provider: 'simulator', affinity: 'message', temperature: 0.7, maxOutputTokens: 1024 },
      auth: { jwtSecret: null, accessTokenTtlMs: 900_000, refreshTokenTtlMs: 2_592_000_000, bcryptCost: 12 },
      limits: { authPerMinute: 5, apiPerMinute: 100, chatPerSecond: 10, connectionsPerUser: 50, loginThrottle: true },
      mail: { smtpUrl: null, requireVerification: false, baseUrl: 'http://localhost:3000' },
      chat: {
        contextMaxMessages: 20,
        contextMaxTokens: 8000,
        contextCacheBytes: 67_108_864,
        messageMaxChars: 8000,
        responseWaitMs: 50_000,
      },
      ignored: [],
    });
  });

  test('the result cannot be changed', () => {
    const config = loadConfig({});
    expect(() => Object.assign(config.server, { port: 1 })).toThrow(TypeError);
  });

  test('a key or a base URL chooses real models, and weights are read', () => {
    expect(loadConfig({ OPENROUTER_API_KEY: 'k' }).llm.provider).toBe('openrouter');
    const { llm } = loadConfig({
      OPENROUTER_BASE_URL: 'http://127.0.0.1:11434/v1/',
      OPENROUTER_MODELS: 'a/b=3, c:free',
    });
    expect(llm).toMatchObject({
      provider: 'openrouter',
      baseUrl: 'http://127.0.0.1:11434/v1',
      models: [
        { slug: 'a/b', weight: 3 },
        { slug: 'c:free', weight: 1 },
      ],
    });
  });

  test.each([
    [{ PORT: '70000' }, 'PORT must be a whole number from 0 to 65535'],
    [{ CORS_ORIGINS: '*' }, 'CORS_ORIGINS must name the origins'],
    [{ CORS_ORIGINS: 'https://a.example/path' }, 'CORS_ORIGINS must be origins'],
    [{ OPENROUTER_MODELS: 'a,a' }, 'OPENROUTER_MODELS names a model twice'],
    [{ OPENROUTER_MODELS: 'a=0' }, 'OPENROUTER_MODELS must be a list'],
    [{ ACCESS_TOKEN_TTL: '15' }, 'ACCESS_TOKEN_TTL must be a duration'],
    [{ ALLOW_CLIENT_SYSTEM_PROMPT: 'yes' }, 'ALLOW_CLIENT_SYSTEM_PROMPT must be true or false'],
    [{ SMTP_URL: 'smtp://mail.example.com', MAIL_FROM: 'a@example.com' }, 'SMTP_URL needs PUBLIC_URL'],
    [{ SMTP_URL: 'smtp://mail.example.com', PUBLIC_URL: 'https://chat.example.com' }, 'SMTP_URL needs MAIL_FROM'],
    [{ SMTP_URL: 'smtp://user:pass@mail.example.com:smtp' }, 'SMTP_URL must be a URL'],
    [{ SMTP_URL: 'mail.example.com' }, 'SMTP_URL must begin with smtp:// or smtps://'],
    [{ MAIL_FROM: 'a@example.com\nBcc: b@example.com' }, 'MAIL_FROM must be an address'],
    [{ MAIL_RESET_PATH: 'reset#' }, 'MAIL_RESET_PATH must be a path'],
    [{ NODE_ENV: 'production', REQUIRE_EMAIL_VERIFICATION: 'true' }, 'REQUIRE_EMAIL_VERIFICATION needs SMTP_URL'],
    [{ LLM_PROVIDER: 'openrouter' }, 'LLM_PROVIDER=openrouter needs'],
    [{ NODE_ENV: 'production', LLM_PROVIDER: 'simulator' }, 'JWT_SECRET must be set'],
    [
      { NODE_ENV: 'production', JWT_SECRET: 'k3JfQ0t9y2mXw8RzV5nB7cL1dH6gS4pA' },
      'OPENROUTER_API_KEY or OPENROUTER_BASE_URL must be set',
    ],
    [{ JWT_SECRET: 'x', JWT_SECRET_FILE: '/nowhere' }, 'JWT_SECRET and JWT_SECRET_FILE are both set'],
    [{ JWT_SECRET_FILE: '/nowhere/at/all' }, 'JWT_SECRET_FILE names a file that cannot be read'],
  ])('%j is refused', (env, problem) => {
    expect(problemsOf(env).join('\n')).toContain(problem);
  });

  test('all problems are told at once', () => {
    expect(problemsOf({ PORT: 'x', TEMPERATURE: 'hot', LOG_LEVEL: 'loud' })).toHaveLength(3);
  });

  test('a secret is read from the file that NAME_FILE names', () => {
    const directory = mkdtempSync(join(tmpdir(), 'parley-config-'));
    writeFileSync(join(directory, 'key'), 'sk-from-a-file\n');
    const { llm } = loadConfig({ OPENROUTER_API_KEY_FILE: join(directory, 'key') });
    expect(llm).toMatchObject({ provider: 'openrouter', apiKey: 'sk-from-a-file' });
    rmSync(directory, { recursive: true });
  });

  test('variables of later versions are told, not silently ignored', () => {
    expect(loadConfig({ REDIS_URL: 'redis://x' }).ignored).toEqual(['REDIS_URL']);
  });
});
