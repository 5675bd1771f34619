import { describe, expect, test } from '@jest/globals';
import { createRotation, pickForChat, type Candidate } from '../../src/services/llm/rotation.ts';

const weighted = (weights: Readonly<Record<string, number>>): Candidate[] =>
  Object.entries(weights).map(([slug, weight]) => ({ slug, weight }));

const takeMany = (candidates: readonly Candidate[], times: number): string => {
  const rotation = createRotation();
  return Array.from({ length: times }, () => rotation.take(candidates)).join('');
};

describe('the rotation', () => {
  test('equal weights take turns in the order given', () => {
    expect(takeMany(weighted({ a: 1, b: 1, c: 1 }), 7)).toBe('abcabca');
  });

  test('weights 5, 1, 1 interleave as nginx documents', () => {
    expect(takeMany(weighted({ a: 5, b: 1, c: 1 }), 14)).toBe('aabacaaaabacaa');
  });

  test('over a cycle every share is exact', () => {
    const counts = [...takeMany(weighted({ a: 3, b: 2, c: 2 }), 700)];
    expect(counts.filter((slug) => slug === 'a')).toHaveLength(300);
    expect(counts.filter((slug) => slug === 'b')).toHaveLength(200);
  });

  test('looking does not take a turn', () => {
    const rotation = createRotation();
    const candidates = weighted({ a: 1, b: 1 });
    expect([rotation.peek(candidates), rotation.peek(candidates), rotation.take(candidates)]).toEqual(['a', 'a', 'a']);
    expect(rotation.peek(candidates)).toBe('b');
  });

  test('a candidate that is left out for a while is not owed its turns twice', () => {
    const rotation = createRotation();
    const all = weighted({ a: 1, b: 1 });
    const without = weighted({ b: 1 });
    expect([rotation.take(without), rotation.take(without), rotation.take(without)]).toEqual(['b', 'b', 'b']);
    expect([rotation.take(all), rotation.take(all), rotation.take(all)]).toEqual(['a', 'b', 'a']);
  });

  test('no candidates, no choice', () => {
    expect(createRotation().take([])).toBeNull();
    expect(pickForChat('chat', [])).toBeNull();
  });
});

describe('the model of a chat', () => {
  const models = weighted({ a: 1, b: 1, c: 2 });
  const chats = Array.from({ length: 4000 }, (_, index) => `chat-${String(index)}`);

  test('is always the same, whatever the order of the rotation', () => {
    for (const chat of chats.slice(0, 50))
      expect(pickForChat(chat, [...models].reverse())).toBe(pickForChat(chat, models));
    // Written down, so that a change of the hash, which would move every chat, does not pass unseen.
    expect(
      chats
        .slice(0, 8)
        .map((chat) => pickForChat(chat, models))
        .join(''),
    ).toMatchInlineSnapshot(`"bbccccab"`);
  });

  test('follows the weights', () => {
    const share = (slug: string): number =>
      chats.filter((chat) => pickForChat(chat, models) === slug).length / chats.length;
    expect(share('a')).toBeCloseTo(0.25, 1);
    expect(share('c')).toBeCloseTo(0.5, 1);
  });

  test('changes only for the chats of a model that leaves', () => {
    const left = models.filter(({ slug }) => slug !== 'b');
    for (const chat of chats) {
      const before = pickForChat(chat, models);
      if (before !== 'b') expect(pickForChat(chat, left)).toBe(before);
    }
  });
});
