/** Things people paste by mistake: the simulator quotes the user's words, and must not repeat a secret. */
const SECRETS: readonly RegExp[] = [
  /-----BEGIN [^-]*-----[\s\S]*?(-----END [^-]*-----|$)/g,
  /\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi,
  /\b(sk|pk|rk|ghp|gho|ghs|github_pat|xox[a-z]|parley_sk|AKIA|AIza)[-_]?[\w-]{6,}/gi,
  /\beyJ[\w-]+\.[\w-]+(\.[\w-]+)?/g,
  /\b[a-z][a-z0-9+.-]*:\/\/[^\s/@]+@\S*/gi,
  /\b(pass(word|wd|phrase|code)?|pwd|secret|token|api[-_ ]?key|pin|otp)\b(\s+(is|was))?\s*[:=]?\s*\S+/gi,
  /\b[\w.+-]+@[\w-]+\.[\w.-]+/g,
  /\b(?=\w*\d)(?=\w*[a-z])[\w+/=-]{20,}/gi,
  /\b(?:\d[ -]?){13,19}\b/g,
];

/** The text with everything that looks like a key, token, password, address or card number replaced by `•••`. */
export const maskSecrets = (text: string): string =>
  SECRETS.reduce((masked, pattern) => masked.replace(pattern, '•••'), text);
