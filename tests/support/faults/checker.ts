import { FINAL_STATUSES } from '../../../src/models/entities.ts';
import type { ClientHistory, Entry } from './history.ts';

/** A message as it is stored, seen through a door. */
export interface StoredMessage {
  readonly id: string;
  readonly chatId: string;
  readonly seq: number;
  readonly parentId: string | null;
  readonly role: string;
  readonly content: string;
  readonly status: string;
  readonly clientMessageId?: string;
}

export interface Evidence {
  readonly histories: readonly ClientHistory[];
  /** All messages of each account. */
  readonly stored: ReadonlyMap<string, readonly StoredMessage[]>;
  /** The last user message of every call that the upstream got: contents are unique. */
  readonly upstreamCalls: readonly string[];
  /** Whether a reply's full text is its question: then a wrong text is found even where nobody read it. */
  readonly isEcho: boolean;
}

type EntryOf<K extends Entry['kind']> = Extract<Entry, { kind: K }>;

const entriesOf = <K extends Entry['kind']>(history: ClientHistory, kind: K): EntryOf<K>[] =>
  history.entries.filter((entry): entry is EntryOf<K> => entry.kind === kind);

const groupBy = <T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> =>
  Map.groupBy(items, (item) => keyOf(item));

const isFinal = (status: string): boolean => (FINAL_STATUSES as readonly string[]).includes(status);

const short = (text: string): string => JSON.stringify(text.slice(0, 40));

interface Account {
  readonly histories: readonly ClientHistory[];
  readonly messages: readonly StoredMessage[];
  readonly byId: ReadonlyMap<string, StoredMessage>;
}

const all = <K extends Entry['kind']>({ histories }: Account, kind: K): EntryOf<K>[] =>
  histories.flatMap((history) => entriesOf(history, kind));

/** Acknowledged ⊆ stored: what an ack named is there, is what was sent, and is the same at every repetition. */
function* checkAcks(account: Account): Generator<string> {
  const contents = new Map(all(account, 'sent').map(({ clientMessageId, content }) => [clientMessageId, content]));
  const acks = all(account, 'acked');
  for (const { clientMessageId, userMessageId, messageId, chatId } of acks) {
    const question = account.byId.get(userMessageId);
    const reply = account.byId.get(messageId);
    if (!question) yield `lost: ${clientMessageId} was acknowledged and its message is not stored`;
    else if (question.content !== contents.get(clientMessageId))
      yield `changed: ${clientMessageId} is stored as another text`;
    if (!reply) yield `lost: ${clientMessageId} was acknowledged and its reply is not stored`;
    else if (reply.parentId !== userMessageId)
      yield `misplaced: the reply to ${clientMessageId} hangs on another message`;
    if (question && question.chatId !== chatId)
      yield `misplaced: ${clientMessageId} is in another chat than acknowledged`;
  }
  for (const [id, repeated] of groupBy(acks, ({ clientMessageId }) => clientMessageId)) {
    const names = new Set(repeated.map(({ userMessageId, messageId }) => `${userMessageId}/${messageId}`));
    if (names.size > 1) yield `doubled: ${id} was acknowledged with ${String(names.size)} different ids`;
  }
}

/** Every send got its ack in the end, and none was refused for good. */
function* checkSends(account: Account): Generator<string> {
  const acked = new Set(all(account, 'acked').map(({ clientMessageId }) => clientMessageId));
  const refused = all(account, 'refused');
  for (const { clientMessageId, code } of refused) yield `refused: ${clientMessageId} with ${code}`;
  for (const { clientMessageId, waitingFor } of all(account, 'stuck')) {
    yield `stuck: ${clientMessageId} waited for ${waitingFor}`;
  }
  const sent = new Set(all(account, 'sent').map(({ clientMessageId }) => clientMessageId));
  for (const id of sent) if (!acked.has(id)) yield `unanswered: ${id} was never acknowledged`;
}

/** Shown ⊆ stored, by offset: no text that a client saw was taken back or changed. */
function* checkShown(account: Account): Generator<string> {
  for (const { messageId, offset, text } of all(account, 'shown')) {
    const stored = account.byId.get(messageId)?.content.slice(offset, offset + text.length);
    if (stored !== text) {
      yield `taken back: ${messageId} at ${String(offset)}: shown ${JSON.stringify(text)}, stored ${JSON.stringify(stored)}`;
    }
  }
  for (const { messageId, length } of all(account, 'reset')) yield `taken back: ${messageId} to ${String(length)}`;
  for (const { messageId, offset, held } of all(account, 'gap')) {
    yield `gap: ${messageId} went on at ${String(offset)} for a client that holds ${String(held)}`;
  }
}

/** One final state per reply: the stored one, the same for everyone who was told, with the whole text. */
function* checkEnds(account: Account): Generator<string> {
  for (const { messageId, status, length, held } of all(account, 'ended')) {
    const stored = account.byId.get(messageId);
    if (!stored) continue;
    if (stored.status !== status) yield `two ends: ${messageId} ended as ${status} and is stored as ${stored.status}`;
    if (stored.content.length !== length)
      yield `two ends: ${messageId} ended at ${String(length)}, stored ${String(stored.content.length)}`;
    if (held !== null && held !== stored.content)
      yield `torn: a client holds another text of ${messageId} than is stored`;
  }
}

/** Each message once, and none that nobody sent. */
function* checkQuestions(account: Account): Generator<string> {
  const questions = account.messages.filter(({ role }) => role === 'user');
  const sent = new Set(all(account, 'sent').map(({ clientMessageId }) => clientMessageId));
  for (const [id, same] of groupBy(questions, ({ clientMessageId }) => clientMessageId ?? '')) {
    if (same.length > 1) yield `doubled: ${id} is stored ${String(same.length)} times`;
    if (!sent.has(id)) yield `invented: ${id} was sent by nobody`;
  }
  for (const [text, same] of groupBy(questions, ({ content }) => content)) {
    if (same.length > 1) yield `doubled: ${short(text)} is stored ${String(same.length)} times`;
  }
}

/** Each chat is numbered without a hole; each question has one reply, and that is final. */
function* checkOrder({ messages }: Account): Generator<string> {
  for (const [chatId, ofChat] of groupBy(messages, (message) => message.chatId)) {
    const seqs = ofChat.map(({ seq }) => seq).sort((a, b) => a - b);
    if (seqs.some((seq, index) => seq !== index + 1)) yield `order: chat ${chatId} is numbered ${seqs.join(',')}`;
  }
  const replies = messages.filter(({ role }) => role === 'assistant');
  const repliesOf = groupBy(replies, ({ parentId }) => parentId ?? '');
  for (const { id } of messages.filter(({ role }) => role === 'user')) {
    const count = repliesOf.get(id)?.length ?? 0;
    if (count !== 1) yield `replies: ${id} has ${String(count)}`;
  }
  for (const { id, status } of replies) if (!isFinal(status)) yield `stuck: reply ${id} is ${status}`;
}

function* checkCalls(reply: StoredMessage, calls: number): Generator<string> {
  if (calls > 1) yield `doubled: the model was asked ${String(calls)} times for ${reply.id}`;
  if (calls > 0) return;
  if (reply.content !== '') yield `invented: ${reply.id} has text and the model was never asked`;
  if (reply.status === 'complete') yield `invented: ${reply.id} is complete and the model was never asked`;
}

function* checkEcho(reply: StoredMessage, question: string): Generator<string> {
  if (reply.status === 'complete' && reply.content !== question) yield `torn: ${reply.id} is complete and not whole`;
  if (!question.startsWith(reply.content)) yield `torn: ${reply.id} is no beginning of its text`;
}

/** The model was asked at most once for each reply, exactly once for a complete one; and what it said is what is stored. */
function* checkReplies(account: Account, calls: ReadonlyMap<string, number>, isEcho: boolean): Generator<string> {
  for (const reply of account.messages.filter(({ role }) => role === 'assistant')) {
    const question = account.byId.get(reply.parentId ?? '')?.content ?? '';
    yield* checkCalls(reply, calls.get(question) ?? 0);
    if (isEcho) yield* checkEcho(reply, question);
  }
}

/** Everything that the evidence says against the promises; an empty list when all were kept. */
export const check = ({ histories, stored, upstreamCalls, isEcho }: Evidence): string[] => {
  const calls = new Map([...groupBy(upstreamCalls, (text) => text)].map(([text, same]) => [text, same.length]));
  const violations: string[] = [];
  const known = new Set<string>();
  for (const [name, own] of groupBy(histories, ({ account }) => account)) {
    const messages = stored.get(name) ?? [];
    for (const { content } of messages) known.add(content);
    const account: Account = {
      histories: own,
      messages,
      byId: new Map(messages.map((message) => [message.id, message])),
    };
    violations.push(
      ...checkSends(account),
      ...checkAcks(account),
      ...checkShown(account),
      ...checkEnds(account),
      ...checkQuestions(account),
      ...checkOrder(account),
      ...checkReplies(account, calls, isEcho),
    );
  }
  for (const text of calls.keys()) {
    if (!known.has(text)) violations.push(`invented: the model was asked what is not stored: ${short(text)}`);
  }
  return violations;
};

/** What a run was about, in numbers. */
export interface Tally {
  readonly sends: number;
  readonly acked: number;
  /** UTF-16 units of text that clients were shown. */
  readonly shownUnits: number;
  readonly replies: number;
  readonly interrupted: number;
}

export const tally = ({ histories, stored }: Pick<Evidence, 'histories' | 'stored'>): Tally => {
  const ids = (kind: 'sent' | 'acked'): number =>
    new Set(histories.flatMap((history) => entriesOf(history, kind)).map(({ clientMessageId }) => clientMessageId))
      .size;
  const shown = histories.flatMap((history) => entriesOf(history, 'shown'));
  const replies = [...stored.values()].flat().filter(({ role }) => role === 'assistant');
  return {
    sends: ids('sent'),
    acked: ids('acked'),
    shownUnits: shown.reduce((sum, { text }) => sum + text.length, 0),
    replies: replies.length,
    interrupted: replies.filter(({ status }) => status === 'interrupted').length,
  };
};
