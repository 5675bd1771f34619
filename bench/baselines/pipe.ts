/**
 * Baseline (c): the least that stands between an OpenAI client and a model: bytes in, bytes out, over `node:http`.
 * It reads nothing of what passes: no accounts, no second model, no books.
 * Run: PORT=… OPENAI_BASE_URL=… node bench/baselines/pipe.ts
 */
import http from 'node:http';
import { pipeline } from 'node:stream';

const { PORT, OPENAI_BASE_URL = '' } = process.env;
const agent = new http.Agent({ keepAlive: true });

const server = http.createServer((req, res) => {
  if (req.method !== 'POST') {
    res.end('ok');
    return;
  }
  const headers = { 'Content-Type': 'application/json', 'Content-Length': req.headers['content-length'] ?? '0' };
  const upstream = http.request(`${OPENAI_BASE_URL}/chat/completions`, { method: 'POST', agent, headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, res, () => undefined);
  });
  upstream.on('error', () => res.destroy());
  res.on('close', () => upstream.destroy());
  req.pipe(upstream);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
