import { ConfigError, loadConfig } from '../../src/config/index.ts';

/** What `loadConfig` finds wrong with an environment. */
export const problemsOf = (env: Record<string, string | undefined>): readonly string[] => {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
};
