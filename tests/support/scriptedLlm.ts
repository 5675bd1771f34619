import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** A choice of a chunk: its delta, and what else it has. */
export const says = (delta: object, rest: object = {}): object => ({
  choices: [{ index: 0, delta, finish_reason: null, ...rest }],
});
export const ends = (reason: string): object => says({}, { finish_reason: reason });
export const USED = { choices: [], usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12, cost: 0.00001 } };

export interface ScriptedLlm {
  readonly baseUrl: string;
  /** The bodies of all calls so far. */
  readonly asked: readonly Readonly<Record<string, unknown>>[];
  close(): Promise<void>;
}

/** An endpoint that speaks OpenAI's chat completions and streams to each model's name the chunks that a test gives it. */
export const startScriptedLlm = async (script: Readonly<Record<string, readonly object[]>>): Promise<ScriptedLlm> => {
  const asked: Record<string, unknown>[] = [];
  const server = http.createServer((req, res) => {
    const body: Buffer[] = [];
    req.on('data', (bytes: Buffer) => body.push(bytes));
    req.on('end', () => {
      if (!req.url?.endsWith('/chat/completions')) {
        res.statusCode = req.url?.endsWith('/models') ? 200 : 404;
        res.setHeader('Content-Type', 'application/json');
        res.end(JSON.stringify({ data: Object.keys(script).map((id) => ({ id })) }));
        return;
      }
      const question = JSON.parse(Buffer.concat(body).toString()) as Record<string, unknown>;
      asked.push(question);
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      for (const chunk of script[String(question.model)] ?? []) {
        res.write(`data: ${JSON.stringify({ id: 'gen-1', object: 'chat.completion.chunk', ...chunk })}\n\n`);
      }
      res.end('data: [DONE]\n\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`,
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
