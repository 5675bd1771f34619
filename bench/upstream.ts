/**
 * The mock model endpoint, a process of its own: OpenAI's streamed chat completions over bare `node:http`.
 * Run: node bench/upstream.ts <port>
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { MODELS, nowUs, paceOf, stampToken, textToken, variationOf, type Pace } from './support/tokens.ts';

const frame = (model: string, rest: object): string =>
  `data: ${JSON.stringify({ id: 'gen-1700000000-bench', provider: 'bench', model, object: 'chat.completion.chunk', created: 1_700_000_000, ...rest })}\n\n`;

const tokenFrame = (model: string, content: string): string =>
  frame(model, {
    choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null, native_finish_reason: null }],
  });

const endFrames = (model: string, tokens: number): string =>
  frame(model, {
    choices: [
      { index: 0, delta: { role: 'assistant', content: '' }, finish_reason: 'stop', native_finish_reason: 'stop' },
    ],
  }) +
  frame(model, {
    choices: [],
    usage: { prompt_tokens: 20, completion_tokens: tokens, total_tokens: 20 + tokens, cost: 0.0001 },
  }) +
  'data: [DONE]\n\n';

const bursts = new Map<string, Buffer>();

/** A whole answer, made once. */
const burstOf = (model: string, variation: number, tokens: number): Buffer => {
  const key = `${model} ${String(variation)}`;
  let bytes = bursts.get(key);
  if (!bytes) {
    const frames = Array.from({ length: tokens }, (_token, index) => tokenFrame(model, textToken(variation, index)));
    bytes = Buffer.from(frames.join('') + endFrames(model, tokens));
    bursts.set(key, bytes);
  }
  return bytes;
};

/** One token at once, and then one per interval, at the stream's own phase. */
const pace = (res: ServerResponse, model: string, variation: number, { kind, intervalMs, tokens }: Pace): void => {
  let index = 0;
  const next = (): void => {
    const token = kind === 'stamp' ? stampToken(nowUs()) : textToken(variation, index);
    index += 1;
    if (index < tokens) {
      res.write(tokenFrame(model, token));
      return;
    }
    clearInterval(timer);
    res.end(tokenFrame(model, token) + endFrames(model, tokens));
  };
  const timer = setInterval(next, intervalMs);
  res.on('close', () => clearInterval(timer));
  next();
};

const complete = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
  const { model, messages } = JSON.parse(await text(req)) as {
    model: string;
    messages: { role: string; content: string }[];
  };
  const variation = variationOf(messages.at(-1)?.content ?? '');
  const wanted = paceOf(model);
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  if (wanted.intervalMs === 0) res.end(burstOf(model, variation, wanted.tokens));
  else pace(res, model, variation, wanted);
};

const server = createServer((req, res) => {
  if (req.method === 'POST') {
    complete(req, res).catch((error: unknown) => {
      console.error(error);
      res.destroy();
    });
    return;
  }
  const isList = req.url?.endsWith('/models') === true;
  res.writeHead(200, { 'Content-Type': 'application/json' });
  res.end(JSON.stringify(isList ? { data: MODELS.map((id) => ({ id })) } : { ok: true }));
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
