/** A stored password hash, taken apart. */
export interface StoredHash {
  /** Who made it and with which key: `bcrypt` is another system's, over the password itself. */
  readonly scheme: string;
  readonly hash: string;
}

/** bcrypt as PHP, Python, Ruby, Java and Node write it: version, cost, 22 characters of salt, 31 of digest. */
const FOREIGN = /^(?:bcrypt\$)?(\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53})$/;

/**
 * Takes `scheme$hash` apart. Plain bcrypt, with the scheme `bcrypt` before it or bare, is how users come from other systems;
 * it is checked as that system did, which looked at the first 72 bytes only, and replaced at the first login.
 */
export const readStoredHash = (stored: string): StoredHash => {
  const foreign = FOREIGN.exec(stored)?.[1];
  if (foreign !== undefined) return { scheme: 'bcrypt', hash: foreign };
  const at = stored.indexOf('$');
  return { scheme: stored.slice(0, Math.max(at, 0)), hash: stored.slice(at + 1) };
};
