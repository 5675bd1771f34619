import { trusted } from 'mongoose';
import type { LogEntry } from '../stores.ts';
import type { Collections } from './collections.ts';
import { UNFINISHED, type MessageRow } from './message.model.ts';
import type { ReplyLogRow } from './replyLog.model.ts';

type ReplyKey = Pick<LogEntry, 'ownerId' | 'messageId'>;

/** In front of every key of the reply's entries, and of no other's. */
const prefixOf = ({ ownerId, messageId }: ReplyKey): string => `${ownerId}:${messageId}:`;

/** Keys that begin with a prefix ending in ':'; ';' is the sign after it. */
const beginningWith = (prefix: string) => ({ _id: trusted({ $gte: prefix, $lt: `${prefix.slice(0, -1)};` }) });

/** The filter for all entries of these replies. */
export const logsOf = (replies: readonly ReplyKey[]) => ({
  $or: replies.map((reply) => beginningWith(prefixOf(reply))),
});

/** The filter for all entries of an owner. */
export const logsOfOwner = (ownerId: string) => beginningWith(`${ownerId}:`);

export const toLogRow = (entry: LogEntry): ReplyLogRow => ({
  _id: `${prefixOf(entry)}${String(entry.offset).padStart(10, '0')}`,
  ...entry,
});

/**
 * The texts of unfinished replies by message id. Of overlapping entries the first one counts; after a gap nothing does,
 * since a client takes the text for the beginning of the reply.
 */
export const readLogs = async (
  { replyLog }: Collections,
  replies: readonly ReplyKey[],
): Promise<ReadonlyMap<string, string>> => {
  const texts = new Map<string, string>();
  const entries = await replyLog.find(logsOf(replies)).sort({ _id: 1 }).lean();
  for (const { messageId, offset, text } of entries) {
    const before = texts.get(messageId) ?? '';
    if (offset <= before.length) texts.set(messageId, before + text.slice(before.length - offset));
  }
  return texts;
};

/** Removes the entries of a reply that needs them no more. */
export const dropLog = async ({ replyLog }: Collections, { _id, ownerId }: MessageRow): Promise<void> => {
  await replyLog.deleteMany(logsOf([{ ownerId, messageId: _id }]));
};

/**
 * Removes logs whose reply is final or gone: an entry that was on its way when the reply was settled comes too late to be
 * dropped with the others. Steps from reply to reply over the key, and there are only as many as are running.
 * @returns how many replies had such a log
 */
export const dropStrayLogs = async ({ replyLog, messages }: Collections): Promise<number> => {
  let count = 0;
  let entry = await replyLog.findOne({}).sort({ _id: 1 }).select('ownerId messageId').lean();
  while (entry) {
    const { ownerId, messageId } = entry;
    const running = { _id: messageId, ownerId, status: trusted({ $in: UNFINISHED }) };
    if (!(await messages.exists(running))) {
      await replyLog.deleteMany(logsOf([entry]));
      count += 1;
    }
    const behind = { _id: trusted({ $gte: `${prefixOf(entry).slice(0, -1)};` }) };
    entry = await replyLog.findOne(behind).sort({ _id: 1 }).select('ownerId messageId').lean();
  }
  return count;
};
