/**
 * Baseline (b): what a team writes by hand in an afternoon. Express, Socket.IO, the OpenAI SDK, a JWT, and one SQLite
 * insert when the reply has ended. What it lacks is in facts: a death takes the reply, a reload shows nothing, a send
 * repeated is two calls, a login burst stops the loop.
 * Run: PORT=… DATA_DIR=… JWT_SECRET=… BCRYPT_COST=… OPENAI_BASE_URL=… node bench/baselines/handwritten.ts
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import bcrypt from 'bcryptjs';
import express from 'express';
import jwt from 'jsonwebtoken';
import OpenAI from 'openai';
import { Server, type Socket } from 'socket.io';

const { PORT, DATA_DIR = '.', JWT_SECRET = '', BCRYPT_COST, OPENAI_BASE_URL } = process.env;
const openai = new OpenAI({ baseURL: OPENAI_BASE_URL ?? '', apiKey: 'none' });
const db = new DatabaseSync(`${DATA_DIR}/chat.db`);
db.exec(`
  PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
  CREATE TABLE users (id TEXT PRIMARY KEY, username TEXT UNIQUE, hash TEXT);
  CREATE TABLE messages (id TEXT PRIMARY KEY, chat_id TEXT, user_id TEXT, question TEXT, answer TEXT, created_at INTEGER);
  CREATE INDEX by_chat ON messages (chat_id, created_at);`);
const insertUser = db.prepare('INSERT INTO users VALUES (?, ?, ?)');
const findUser = db.prepare('SELECT * FROM users WHERE username = ?');
const insertMessage = db.prepare('INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)');
const history = db.prepare(
  'SELECT question, answer FROM messages WHERE chat_id = ? AND user_id = ? ORDER BY created_at',
);
const findMessage = db.prepare('SELECT answer FROM messages WHERE id = ?');

const app = express();
app.use(express.json());
const tokenFor = (id: string): string => jwt.sign({ sub: id }, JWT_SECRET, { expiresIn: '1d' });
app.get('/health', (_req, res) => void res.json({ ok: true }));
app.post('/api/auth/signup', async (req, res) => {
  const { username, password } = req.body as { username: string; password: string };
  const id = randomUUID();
  insertUser.run(id, username, await bcrypt.hash(password, Number(BCRYPT_COST)));
  res.status(201).json({ accessToken: tokenFor(id) });
});
app.post('/api/auth/login', async (req, res) => {
  const { username, password } = req.body as { username: string; password: string };
  const user = findUser.get(username) as { id: string; hash: string } | undefined;
  const isRight = user !== undefined && (await bcrypt.compare(password, user.hash));
  if (isRight) res.json({ accessToken: tokenFor(user.id) });
  else res.status(401).json({ error: 'wrong name or password' });
});
app.get('/api/chat/messages/:id', (req, res) => {
  res.json({ content: (findMessage.get(req.params.id) as { answer: string } | undefined)?.answer });
});

const server = createServer(app);
const io = new Server(server);
io.use((socket, next) => {
  try {
    socket.data.userId = (jwt.verify(String(socket.handshake.auth.token), JWT_SECRET) as { sub: string }).sub;
    next();
  } catch {
    next(new Error('unauthorized'));
  }
});

interface Send {
  readonly content: string;
  readonly model: string;
  readonly chatId?: string;
  readonly clientMessageId: string;
}

const answer = async (socket: Socket, send: Send, ack: (answer: object) => void): Promise<void> => {
  const { content, model, clientMessageId } = send;
  const chatId = send.chatId ?? randomUUID();
  const messageId = randomUUID();
  const userId = String(socket.data.userId);
  ack({ ok: true, chatId, messageId });
  socket.emit('chat:start', { chatId, messageId, clientMessageId });
  const before = (history.all(chatId, userId) as { question: string; answer: string }[]).flatMap((turn) => [
    { role: 'user' as const, content: turn.question },
    { role: 'assistant' as const, content: turn.answer },
  ]);
  const messages = [
    { role: 'system' as const, content: 'You are a helpful assistant.' },
    ...before,
    { role: 'user' as const, content },
  ];
  const stream = await openai.chat.completions.create({ model, messages, stream: true });
  let whole = '';
  for await (const chunk of stream) {
    const text = chunk.choices[0]?.delta.content ?? '';
    if (text) socket.emit('chat:delta', { messageId, text });
    whole += text;
  }
  insertMessage.run(messageId, chatId, userId, content, whole, Date.now());
  socket.emit('chat:end', { messageId, status: 'complete' });
};

io.on('connection', (socket) => {
  socket.on('chat:send', (send: Send, ack: (answer: object) => void) => {
    answer(socket, send, ack).catch((error: unknown) => socket.emit('chat:failed', { error: String(error) }));
  });
});
server.listen(Number(PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
