import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readOrCreateSecret } from '../lib/secretFile.ts';
import type { Config } from './config.types.ts';

/**
 * The configuration with a JWT secret in it. Where none is set, which only development allows, one is made once in
 * `DATA_DIR/jwt-secret` (0600), so that logins outlive a restart.
 */
export const withDevelopmentSecrets = async (config: Config): Promise<Config> => {
  if (config.auth.jwtSecret !== null) return config;
  const file = join(config.database.dataDir, 'jwt-secret');
  const jwtSecret = await readOrCreateSecret(file, () => randomBytes(48).toString('base64url'));
  return Object.freeze({ ...config, auth: Object.freeze({ ...config.auth, jwtSecret }) });
};
