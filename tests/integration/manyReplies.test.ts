import { expect, test } from '@jest/globals';
import { textOf } from '../support/sse.ts';
import { startWorld } from '../support/world.ts';

test('sixty replies at once are told without a gap, as they are stored', async () => {
  const world = await startWorld({ models: ['sim/words:120'], tokenDelayMs: 3 });
  try {
    const users = await Promise.all([world.signUp(), world.signUp()]);
    const replies = await Promise.all(
      Array.from({ length: 60 }, async (_reply, count) => {
        const user = users[count % 2]!;
        return { user, events: await user.stream('/api/chat/message', { content: 'x' }) };
      }),
    );
    for (const { user, events } of replies) {
      const stored = await user.call('GET', `/api/chat/messages/${String(events[0]?.data.messageId)}`);
      expect(stored.body).toMatchObject({ status: 'complete', content: textOf(events) });
      expect(textOf(events)).toMatch(/^word1 .* word120$/);
    }
  } finally {
    await world.stop();
  }
});
