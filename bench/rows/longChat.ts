import type { Client } from '../support/clients.ts';
import { withClients } from '../support/drive.ts';
import type { Line, Row } from '../support/row.ts';
import { median, percentile } from '../support/stats.ts';
import { startParley } from '../support/subjects.ts';
import { modelOf, ONE, question, SHORT } from '../support/tokens.ts';

const SHORT_CHAT_MESSAGES = 10;

/** A chat with this many messages, half of them replies, made as a client makes it. */
const makeChat = async (client: Client, messages: number): Promise<string> => {
  let chatId: string | undefined;
  for (let count = 0; count < messages; count += 2) {
    ({ chatId } = await client.send({ content: question(count % 50), model: modelOf(ONE), chatId }));
  }
  return chatId ?? '';
};

const timesOf = async (client: Client, chatId: string): Promise<{ ack: number; first: number }> => {
  const { sentAt, ackAt, firstAt } = await client.send({ content: question(1), model: modelOf(SHORT), chatId });
  return { ack: ackAt - sentAt, first: firstAt - sentAt };
};

/** Does a send become slower as its chat grows? And does a warm chat read the database at all? */
export const longChat: Row = {
  name: 'long-chat',
  run: async ({ ground, rounds, isQuick, log }) => {
    const messages = isQuick ? 1000 : 10_000;
    const sends = isQuick ? 20 : 60;
    const parley = await startParley(ground, { users: 1, hasProbe: true });
    try {
      return await withClients(parley, 1, async ([client]) => {
        if (!client) return [];
        log(`making a chat of ${String(messages)} messages`);
        const long = await makeChat(client, messages);
        const ratios: { ack: number; first: number }[] = [];
        const all: Record<'longAck' | 'shortAck' | 'longFirst' | 'shortFirst', number[]> = {
          longAck: [],
          shortAck: [],
          longFirst: [],
          shortFirst: [],
        };
        let reads = 0;
        for (let round = 0; round < rounds; round += 1) {
          const short: string[] = [];
          for (let count = 0; count < sends; count += 1) short.push(await makeChat(client, SHORT_CHAT_MESSAGES));
          const inLong: { ack: number; first: number }[] = [];
          const inShort: { ack: number; first: number }[] = [];
          const readsBefore = (await parley.child.probe()).reads;
          for (const chatId of short) {
            inShort.push(await timesOf(client, chatId));
            inLong.push(await timesOf(client, long));
          }
          reads += (await parley.child.probe()).reads - readsBefore;
          const medianOf = (key: 'ack' | 'first', times: typeof inLong) => median(times.map((time) => time[key]));
          ratios.push({
            ack: medianOf('ack', inLong) / medianOf('ack', inShort),
            first: medianOf('first', inLong) / medianOf('first', inShort),
          });
          all.longAck.push(...inLong.map(({ ack }) => ack));
          all.shortAck.push(...inShort.map(({ ack }) => ack));
          all.longFirst.push(...inLong.map(({ first }) => first));
          all.shortFirst.push(...inShort.map(({ first }) => first));
        }
        const line = (key: 'ack' | 'first', title: string): Line => ({
          title: `${title} in a chat of ${String(messages)} messages`,
          unit: 'ms',
          values: { parley: percentile(key === 'ack' ? all.longAck : all.longFirst, 0.5) },
          rounds: {
            ratio: ratios.map((ratio) => ratio[key]),
            short: [median(key === 'ack' ? all.shortAck : all.shortFirst)],
          },
          judged: {
            of: '÷ a chat of 10',
            ratio: median(ratios.map((ratio) => ratio[key])),
            goal: 1.1,
            better: 'lower',
          },
        });
        const perMessage = reads / (rounds * sends * 2);
        return [
          line('ack', 'Send acknowledged'),
          line('first', 'First token'),
          {
            title: 'Database reads per message, warm chats',
            unit: 'reads',
            values: { parley: perMessage },
            judged: { of: 'reads', ratio: perMessage, goal: 0.05, better: 'lower' },
          },
        ];
      });
    } finally {
      await parley.child.stop();
    }
  },
};
