import { createHash } from 'node:crypto';

/**
 * Of what a client asks for: equal for a repetition, different for anything else. A send's parts are a list, those of
 * every other kind an object that names it, so that no two kinds can be taken for each other.
 */
export const fingerprint = (parts: readonly unknown[] | Readonly<Record<string, unknown>>): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
