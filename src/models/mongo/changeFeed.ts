import { trusted } from 'mongoose';
import type { Deletion } from '../stores.ts';
import type { ChangeRef, ChangeSetRow } from './changeSet.model.ts';
import { fitting, readEntities, sumOf, type ChangePart } from './changeRows.ts';
import type { ChangeSets } from './changeSets.ts';
import type { Collections } from './collections.ts';
import type { SyncPosition } from './syncPosition.ts';

/** Sets read for one page. */
const SETS = 50;

interface Entry extends ChangeRef {
  /** Where a reader is who has it. */
  readonly position: SyncPosition;
}

/** What the sets hold behind a position, in order. */
const entriesOf = (sets: readonly ChangeSetRow[], from: SyncPosition): Entry[] => {
  const entries: Entry[] = [];
  let { number, skip } = from;
  for (const set of sets) {
    set.refs.forEach((ref, index) => {
      if (index < skip) return;
      const isLast = index === set.refs.length - 1;
      const position = isLast ? { number: set.number, skip: 0 } : { number, skip: index + 1 };
      entries.push({ kind: ref.kind, id: ref.id, position: { ...position, scan: null } });
    });
    ({ number } = set);
    skip = 0;
  }
  return entries;
};

/** Reads what changed since the full read. */
export const createChangeFeed = (collections: Collections, sets: ChangeSets) => {
  const { chats, messages, tombstones } = collections;

  /** Lists what is not listed. Returns whether there may be more of it. */
  const list = async (ownerId: string, limit: number): Promise<boolean> => {
    const unlisted = { ownerId, unlisted: true };
    const found = await Promise.all([
      tombstones.find(unlisted).select('_id').limit(limit).readConcern('majority').lean(),
      chats.find(unlisted).select('_id rev').limit(limit).readConcern('majority').lean(),
      messages.find(unlisted).select('_id rev').limit(limit).readConcern('majority').lean(),
    ]);
    const [buried, changedChats, changedMessages] = found;
    if (found.every((rows) => rows.length === 0)) return false;
    await sets.add(ownerId, { tombstones: buried, chats: changedChats, messages: changedMessages });
    return found.some((rows) => rows.length === limit);
  };

  const idsOf = (entries: readonly Entry[], kind: ChangeRef['kind']): string[] => [
    ...new Set(entries.filter((entry) => entry.kind === kind).map(({ id }) => id)),
  ];

  const read = async (ownerId: string, entries: readonly Entry[]) => {
    const byId = (ids: readonly string[]) => ({ _id: trusted({ $in: ids }), ownerId });
    const [buried, rows] = await Promise.all([
      tombstones
        .find(byId(idsOf(entries, 'tombstone')))
        .readConcern('majority')
        .lean(),
      messages
        .find(byId(idsOf(entries, 'message')))
        .readConcern('majority')
        .lean(),
    ]);
    const entities = await readEntities(collections, ownerId, { messages: rows, chatIds: idsOf(entries, 'chat') });
    const deletions = buried.map(({ _id, kind, ids }) => [_id, ids.map((id): Deletion => ({ kind, id }))] as const);
    return { ...entities, deletions: new Map(deletions) };
  };

  return async (ownerId: string, from: SyncPosition, page: ChangePart['used']): Promise<ChangePart> => {
    const isMoreUnlisted = await list(ownerId, page.limit);
    const behind = await sets.behind(ownerId, from.number, SETS);
    const all = entriesOf(behind, from);
    const candidates = all.slice(0, page.limit);
    const found = await read(ownerId, candidates);
    const sizes = candidates.map(({ id }) => found.messages.get(id)?.content.length ?? 0);
    const entries = candidates.slice(0, fitting(sizes, page));
    return {
      chats: idsOf(entries, 'chat').flatMap((id) => found.chats.get(id) ?? []),
      messages: idsOf(entries, 'message').flatMap((id) => found.messages.get(id) ?? []),
      deleted: idsOf(entries, 'tombstone').flatMap((id) => found.deletions.get(id) ?? []),
      position: entries.at(-1)?.position ?? from,
      more: isMoreUnlisted || entries.length < all.length || behind.length === SETS,
      used: { limit: entries.length, maxBytes: sumOf(sizes.slice(0, entries.length)) },
    };
  };
};
