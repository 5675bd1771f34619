/**
 * The second factor of an account, as JSON in its row, so that both are one in every write; null: it has none.
 * Few accounts are looked for by the key of their secret, and seldom: after a change of keys.
 */
export const secondFactor = `
ALTER TABLE users ADD COLUMN second_factor TEXT;
CREATE INDEX users_by_factor_key ON users (json_extract(second_factor, '$.keyId')) WHERE second_factor IS NOT NULL;
`;
