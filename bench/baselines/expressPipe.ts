/**
 * Baseline (d): the pipe with the least that an account needs, by the packages that Parley stands on: Express routes, a JSON body
 * that is read and checked for a model, a signed token that is verified. Nothing else: no limits, no books, no second model.
 * Run: PORT=… OPENAI_BASE_URL=… JWT_SECRET=… node bench/baselines/expressPipe.ts
 */
import http from 'node:http';
import { pipeline } from 'node:stream';
import express from 'express';
import jwt from 'jsonwebtoken';

const { PORT, OPENAI_BASE_URL = '', JWT_SECRET = '' } = process.env;
const agent = new http.Agent({ keepAlive: true });
const app = express();
app.use(express.json());

app.get('/health', (_req, res) => void res.end('ok'));
app.post('/v1/chat/completions', (req, res) => {
  jwt.verify((req.headers.authorization ?? '').slice('Bearer '.length), JWT_SECRET, { algorithms: ['HS256'] });
  const asked = req.body as { model?: unknown };
  if (typeof asked.model !== 'string') {
    res.status(400).json({ error: 'model' });
    return;
  }
  const body = JSON.stringify(asked);
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
  const upstream = http.request(`${OPENAI_BASE_URL}/chat/completions`, { method: 'POST', agent, headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, res, () => undefined);
  });
  upstream.on('error', () => res.destroy());
  res.on('close', () => upstream.destroy());
  upstream.end(body);
});

const server = app.listen(Number(PORT), '127.0.0.1');
server.keepAliveTimeout = 60_000;
process.on('SIGTERM', () => process.exit(0));
