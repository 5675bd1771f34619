import { describe, expect, test } from '@jest/globals';
import { check, type Evidence, type StoredMessage } from '../support/faults/checker.ts';
import type { Entry } from '../support/faults/history.ts';

/** A run in which everything went well: one message over a connection that broke once. */
const TEXT = 'all of it 🙂';
const ids = { clientMessageId: 'c1', chatId: 'chat', userMessageId: 'u1', messageId: 'r1' };
const entries: readonly Entry[] = [
  { kind: 'sent', clientMessageId: 'c1', content: TEXT, door: 'sse' },
  { kind: 'acked', ...ids },
  { kind: 'shown', messageId: 'r1', offset: 0, text: 'all ' },
  { kind: 'acked', ...ids },
  { kind: 'shown', messageId: 'r1', offset: 4, text: 'of it 🙂' },
  { kind: 'ended', messageId: 'r1', status: 'complete', length: TEXT.length, held: TEXT },
];
const question: StoredMessage = {
  id: 'u1',
  chatId: 'chat',
  seq: 1,
  parentId: null,
  role: 'user',
  content: TEXT,
  status: 'complete',
  clientMessageId: 'c1',
};
const reply: StoredMessage = {
  id: 'r1',
  chatId: 'chat',
  seq: 2,
  parentId: 'u1',
  role: 'assistant',
  content: TEXT,
  status: 'complete',
};

const problems = (changes: {
  entries?: readonly Entry[];
  stored?: readonly StoredMessage[];
  upstreamCalls?: readonly string[];
}): string[] => {
  const evidence: Evidence = {
    histories: [{ client: 'one', account: 'someone', entries: [...(changes.entries ?? entries)] }],
    stored: new Map([['someone', changes.stored ?? [question, reply]]]),
    upstreamCalls: changes.upstreamCalls ?? [TEXT],
    isEcho: true,
  };
  return check(evidence);
};

const kinds = (violations: readonly string[]): string[] => [
  ...new Set(violations.map((violation) => violation.split(':')[0]!)),
];

describe('the checker', () => {
  test('of a run that kept every promise, finds nothing', () => {
    expect(problems({})).toEqual([]);
  });

  test.each<[bug: string, found: string, changes: Parameters<typeof problems>[0]]>([
    ['ack before the write', 'lost', { stored: [], upstreamCalls: [] }],
    ['the reply’s row is written later than the ack', 'lost', { stored: [question] }],
    [
      'text shown before it was stored',
      'taken back',
      {
        entries: entries.slice(0, -1),
        stored: [question, { ...reply, content: 'all ', status: 'interrupted' }],
      },
    ],
    [
      'text stored again at another offset',
      'taken back',
      { stored: [question, { ...reply, content: 'all all of it 🙂', status: 'interrupted' }] },
    ],
    [
      'no unique key for clientMessageId',
      'doubled',
      { stored: [question, reply, { ...question, id: 'u2', seq: 3 }, { ...reply, id: 'r2', parentId: 'u2', seq: 4 }] },
    ],
    [
      'a retry acknowledged with new ids',
      'doubled',
      {
        entries: [...entries, { kind: 'acked', ...ids, messageId: 'r2' }],
        stored: [question, reply, { ...reply, id: 'r2', seq: 3 }],
      },
    ],
    ['no lease: a reply that nobody closes', 'stuck', { stored: [question, { ...reply, status: 'streaming' }] }],
    ['two settlements', 'two ends', { stored: [question, { ...reply, status: 'interrupted' }] }],
    [
      'a lost offset: resume begins behind what the client holds',
      'gap',
      { entries: [...entries, { kind: 'gap', messageId: 'r1', offset: 9, held: 4 }] },
    ],
    [
      'a lost offset: resume begins anew and the client’s text is torn',
      'torn',
      {
        entries: [
          ...entries.slice(0, -1),
          { kind: 'ended', messageId: 'r1', status: 'complete', length: TEXT.length, held: `all ${TEXT.slice(4)}x` },
        ],
      },
    ],
    ['a reply that is complete and not whole', 'torn', { stored: [question, { ...reply, content: 'all ' }] }],
    ['another reply’s text', 'torn', { stored: [question, { ...reply, content: 'other text 🙂' }] }],
    ['a second generation for one reply', 'doubled', { upstreamCalls: [TEXT, TEXT] }],
    ['a model asked before the turn was stored', 'invented', { upstreamCalls: [TEXT, 'never stored'] }],
    ['a send nobody made', 'invented', { stored: [{ ...question, clientMessageId: 'c9' }, reply] }],
    ['a sequence with a hole', 'order', { stored: [question, { ...reply, seq: 3 }] }],
    ['two messages of one place', 'order', { stored: [question, { ...reply, seq: 1 }] }],
    ['a question without a reply', 'replies', { stored: [question], entries: entries.slice(0, 1) }],
    ['a send that is never answered', 'unanswered', { entries: entries.slice(0, 1), upstreamCalls: [TEXT] }],
    [
      'a send refused for good',
      'refused',
      { entries: [...entries, { kind: 'refused', clientMessageId: 'c1', code: 'INTERNAL' }] },
    ],
    [
      'text taken back by a reset',
      'taken back',
      { entries: [...entries, { kind: 'reset', messageId: 'r1', length: 2 }] },
    ],
  ])('of a run with the bug “%s”, finds it: %s', (_bug, found, changes) => {
    expect(kinds(problems(changes))).toContain(found);
  });
});
