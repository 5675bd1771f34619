import type { SQLInputValue } from 'node:sqlite';
import type { Database } from './database.ts';

/** How each column is filled from an entity, in the order of the statement. */
type Columns<Entity> = Readonly<Record<string, (entity: Entity, db: Database) => SQLInputValue>>;

/**
 * The insertion of whole entities into a table: columns and values come from one list, so they cannot drift apart.
 * @param onConflict what to do when a key is taken, as SQL; without it SQLite's constraint error is thrown
 * @returns how many rows were written: 1, or 0 where `onConflict` does nothing
 */
export const inserter = <Entity>(
  table: string,
  columns: Columns<Entity>,
  onConflict = '',
): ((db: Database, entity: Entity) => number) => {
  const names = Object.keys(columns);
  const readers = Object.values(columns);
  const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) ${onConflict}`;
  return (db, entity) => db.run(sql, ...readers.map((read) => read(entity, db)));
};

export const toTime = (date: Date | null): number | null => date && date.getTime();
export const toDate = (time: number): Date => new Date(time);
export const toDateOrNull = (time: number | null): Date | null => (time === null ? null : new Date(time));

export const toJson = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));
export const fromJson = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

/** The bound of a list by creation, the newest first: `(created_at, id) < (?, ?)`. Without one everything is before it. */
export const before = (after: { readonly at: Date; readonly id: string } | null): [number, string] =>
  after ? [after.at.getTime(), after.id] : [Number.MAX_SAFE_INTEGER, ''];
