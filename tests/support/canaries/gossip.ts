import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A model endpoint that tells everything: its errors quote the key and the whole request. Worse than any we know of. */
export interface Gossip {
  readonly baseUrl: string;
  close(): Promise<void>;
}

/** `gossip/<status>` answers so; `gossip/stream` breaks a stream off with such an error, `gossip/garbage` with what is no JSON. */
export const startGossip = async (): Promise<Gossip> => {
  const server = createServer((req, res) => {
    void text(req).then((asked) => {
      const said = /"role":"user","content":("(?:[^"\\]|\\.)*")/.exec(asked)?.[1] ?? '';
      const message = `cannot serve ${said} for ${String(req.headers.authorization)}: ${asked}`;
      // Nothing but the status says why: what may be logged of a refusal, it is not told here.
      const error = { error: { code: 'server_error', message, metadata: { raw: asked, flagged_input: asked } } };
      const status = Number(/gossip\/(\d+)/.exec(asked)?.[1] ?? 200);
      if (status !== 200 || req.method === 'GET') {
        res.writeHead(req.method === 'GET' ? 500 : status, { 'Content-Type': 'application/json' });
        res.end(JSON.stringify(error));
        return;
      }
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const delta = { choices: [{ index: 0, delta: { role: 'assistant', content: 'Well,' } }] };
      const last = asked.includes('gossip/garbage') ? `{${said}${asked}` : JSON.stringify({ ...error, choices: [] });
      res.end(`data: ${JSON.stringify(delta)}\n\ndata: ${last}\n\n`);
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    baseUrl: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};
