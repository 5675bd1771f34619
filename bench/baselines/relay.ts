/**
 * Baseline (a): the least that shows a model's answer in a browser. A question comes over a WebSocket, the OpenAI SDK
 * asks the model, every token goes back as a frame. No accounts, nothing stored, nothing resumed.
 * Run: PORT=… OPENAI_BASE_URL=… node bench/baselines/relay.ts
 */
import { createServer } from 'node:http';
import OpenAI from 'openai';
import { WebSocketServer, type WebSocket } from 'ws';

const { PORT, OPENAI_BASE_URL } = process.env;
const openai = new OpenAI({ baseURL: OPENAI_BASE_URL ?? '', apiKey: 'none', maxRetries: 0 });

interface Question {
  readonly id: string;
  readonly model: string;
  readonly content: string;
}

const answer = async (ws: WebSocket, { id, model, content }: Question): Promise<void> => {
  const stream = await openai.chat.completions.create({
    model,
    messages: [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content },
    ],
    stream: true,
  });
  let offset = 0;
  for await (const chunk of stream) {
    const text = chunk.choices[0]?.delta.content;
    if (!text) continue;
    ws.send(JSON.stringify({ type: 'delta', chatId: 'none', messageId: id, offset, text }));
    offset += text.length;
  }
  ws.send(JSON.stringify({ type: 'end', chatId: 'none', messageId: id, length: offset }));
};

const server = createServer((_req, res) => res.end('ok'));
new WebSocketServer({ server }).on('connection', (ws) => {
  ws.on('message', (data: Buffer) => {
    const request = JSON.parse(data.toString()) as Question;
    answer(ws, request).catch((error: unknown) => {
      ws.send(JSON.stringify({ type: 'failed', messageId: request.id, error: String(error) }));
    });
  });
});
server.listen(Number(PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
