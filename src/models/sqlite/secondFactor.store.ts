import type { SecondFactor } from '../entities.ts';
import type { SecondFactorStore } from '../stores.ts';
import type { Database } from './database.ts';
import type { Sync } from './sync.ts';
import { fromJson } from './table.ts';

interface FactorRow {
  readonly id: string;
  readonly second_factor: string | null;
}

/** As it stands in its owner's row: all but the owner, times as numbers. */
type StoredFactor = Omit<SecondFactor, 'ownerId' | 'enabledAt'> & { readonly enabledAt: number };

const toEntity = (row: FactorRow | undefined): SecondFactor | null => {
  const stored = fromJson(row?.second_factor ?? null) as StoredFactor | null;
  return row && stored ? { ...stored, ownerId: row.id, enabledAt: new Date(stored.enabledAt) } : null;
};

const toJson = ({ ownerId: _owner, enabledAt, ...factor }: SecondFactor): string => {
  const stored: StoredFactor = { ...factor, enabledAt: enabledAt.getTime() };
  return JSON.stringify(stored);
};

const FIND = 'SELECT id, second_factor FROM users WHERE id = ? AND second_factor IS NOT NULL';
const ENABLE = 'UPDATE users SET second_factor = ?, updated_at = ? WHERE id = ? AND second_factor IS NULL';
const REPLACE = 'UPDATE users SET second_factor = ? WHERE id = ?';
const DISABLE = 'UPDATE users SET second_factor = NULL, updated_at = ? WHERE id = ? AND second_factor IS NOT NULL';
const LIST_BY_KEY = `
SELECT id, second_factor FROM users
WHERE second_factor IS NOT NULL AND json_extract(second_factor, '$.keyId') = ? LIMIT ?`;

export const createSecondFactorStore = (db: Database): Sync<SecondFactorStore> => {
  const findFactor = (ownerId: string): SecondFactor | null => toEntity(db.get(FIND, ownerId) as FactorRow | undefined);

  /** A call is a transaction: nobody else writes between reading and writing. */
  const change = (ownerId: string, changed: (factor: SecondFactor) => SecondFactor | null): boolean => {
    const factor = findFactor(ownerId);
    const next = factor && changed(factor);
    return next !== null && db.run(REPLACE, toJson(next), ownerId) === 1;
  };

  return {
    enableFactor: (factor) => db.run(ENABLE, toJson(factor), factor.enabledAt.getTime(), factor.ownerId) === 1,
    findFactor,
    spendStep: (ownerId, factorId, step) =>
      change(ownerId, (factor) =>
        factor.id === factorId && factor.lastStep < step ? { ...factor, lastStep: step } : null,
      ),
    spendRecoveryCode: (ownerId, hash) =>
      change(ownerId, (factor) => {
        const recoveryHashes = factor.recoveryHashes.filter((one) => one !== hash);
        return recoveryHashes.length < factor.recoveryHashes.length ? { ...factor, recoveryHashes } : null;
      }),
    disableFactor: (ownerId, at) => db.run(DISABLE, at.getTime(), ownerId) === 1,
    listFactorsByKey: (keyId, limit) =>
      (db.all(LIST_BY_KEY, keyId, limit) as FactorRow[]).flatMap((row) => toEntity(row) ?? []),
    replaceSecret: (ownerId, from, to) =>
      change(ownerId, (factor) => (factor.secret === from ? { ...factor, ...to } : null)),
  };
};
