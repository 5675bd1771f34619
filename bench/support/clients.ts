import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { WebSocket } from 'ws';

/** What one reply was like for its client; times by `performance.now()`. */
export interface Reply {
  readonly messageId: string;
  readonly chatId: string;
  readonly text: string;
  readonly sentAt: number;
  /** When the server said that it has the message; NaN where it does not say so. */
  readonly ackAt: number;
  readonly firstAt: number;
  readonly endAt: number;
}

export interface SendOptions {
  readonly content: string;
  readonly model: string;
  readonly chatId?: string | undefined;
  /** Called with each new piece of text. */
  readonly onText?: ((text: string) => void) | undefined;
}

/** A user's connection. Several replies may run over it at once. */
export interface Client {
  send(options: SendOptions): Promise<Reply>;
  close(): void;
}

/** A reply while it comes in. */
interface Incoming {
  readonly options: SendOptions;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  readonly sentAt: number;
  messageId: string;
  chatId: string;
  text: string;
  ackAt: number;
  firstAt: number;
}

const createIncoming = (options: SendOptions): { incoming: Incoming; done: Promise<Reply> } => {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const sentAt = performance.now();
  const empty = { messageId: '', chatId: '', text: '', ackAt: NaN, firstAt: NaN };
  return { incoming: { options, resolve, reject, sentAt, ...empty }, done: promise };
};

const addText = (incoming: Incoming, offset: number | undefined, text: string): void => {
  if (offset !== undefined && offset !== incoming.text.length) {
    incoming.reject(
      new Error(`a gap: ${String(incoming.text.length)} units held, the next begins at ${String(offset)}`),
    );
  }
  if (incoming.text === '') incoming.firstAt = performance.now();
  incoming.text += text;
  incoming.options.onText?.(text);
};

const finish = (incoming: Incoming, failure: string | null): void => {
  if (failure !== null) incoming.reject(new Error(failure));
  const { messageId, chatId, text, sentAt, ackAt, firstAt } = incoming;
  incoming.resolve({ messageId, chatId, text, sentAt, ackAt, firstAt, endAt: performance.now() });
};

const open = async (ws: WebSocket, isReady: (frame: string) => boolean): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  ws.on('error', reject);
  ws.once('close', () => reject(new Error('closed while connecting')));
  ws.on('message', function onMessage(data: Buffer) {
    if (!isReady(data.toString())) return;
    ws.off('message', onMessage);
    resolve(undefined);
  });
  await promise;
};

/** What a frame may hold, of any server. */
interface Payload {
  readonly type?: string;
  readonly chatId?: string;
  readonly messageId?: string;
  readonly clientMessageId?: string;
  readonly offset?: number;
  readonly text?: string;
  readonly status?: string;
}

const DELTA = '42["chat:delta",';
const TOLD: readonly string[] = ['42["chat:start"', '42["chat:end"', '42["chat:failed"'];

/** The Socket.IO protocol by hand (Engine.IO 4 over `ws`): the real client costs the load several times as much. */
export const connectSocketIo = async (url: string, token: string): Promise<Client> => {
  const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, {
    perMessageDeflate: false,
  });
  const bySendId = new Map<string, Incoming>();
  const byAckId = new Map<number, Incoming>();
  const byMessageId = new Map<string, Incoming>();
  let lastAckId = 0;

  const onStart = ({ clientMessageId = '', messageId = '' }: Payload): void => {
    const incoming = bySendId.get(clientMessageId);
    if (!incoming) return;
    incoming.messageId = messageId;
    byMessageId.set(messageId, incoming);
  };
  const onEnd = (payload: Payload): void => {
    const incoming = byMessageId.get(payload.messageId ?? '');
    byMessageId.delete(payload.messageId ?? '');
    if (incoming) finish(incoming, payload.status === 'complete' ? null : JSON.stringify(payload));
  };
  const onEvent = (event: string, payload: Payload): void => {
    if (event === 'chat:start') onStart(payload);
    else if (event !== 'chat:delta') onEnd(payload);
    else {
      const incoming = byMessageId.get(payload.messageId ?? '');
      if (incoming) addText(incoming, payload.offset, payload.text ?? '');
    }
  };

  const onAck = (frame: string): void => {
    const at = frame.indexOf('[');
    const incoming = byAckId.get(Number(frame.slice(2, at)));
    const [answer] = JSON.parse(frame.slice(at)) as [{ ok: boolean; chatId: string }];
    byAckId.delete(Number(frame.slice(2, at)));
    if (!incoming) return;
    incoming.ackAt = performance.now();
    incoming.chatId = answer.chatId;
    if (!answer.ok) incoming.reject(new Error(JSON.stringify(answer)));
  };

  const onFrame = (frame: string): void => {
    if (frame === '2') ws.send('3');
    else if (frame.startsWith('43')) onAck(frame);
    else if (frame.startsWith(DELTA) || TOLD.some((start) => frame.startsWith(start))) {
      const [event, payload] = JSON.parse(frame.slice(2)) as [string, Payload];
      onEvent(event, payload);
    }
  };

  await open(ws, (frame) => {
    if (frame.startsWith('0')) ws.send(`40${JSON.stringify({ token })}`);
    if (frame.startsWith('44')) throw new Error(frame);
    return frame.startsWith('40');
  });
  ws.on('message', (data: Buffer) => onFrame(data.toString()));
  ws.on('close', () => {
    for (const incoming of bySendId.values()) incoming.reject(new Error('the server closed the socket'));
  });
  return {
    send: async (options) => {
      const { incoming, done } = createIncoming(options);
      const clientMessageId = randomUUID();
      bySendId.set(clientMessageId, incoming);
      byAckId.set((lastAckId += 1), incoming);
      const { content, model, chatId } = options;
      ws.send(`42${String(lastAckId)}${JSON.stringify(['chat:send', { content, model, chatId, clientMessageId }])}`);
      return done.finally(() => bySendId.delete(clientMessageId));
    },
    close: () => ws.close(),
  };
};

/** A raw WebSocket to the bare relay. */
export const connectRelay = async (url: string): Promise<Client> => {
  const ws = new WebSocket(url.replace('http', 'ws'), { perMessageDeflate: false });
  const running = new Map<string, Incoming>();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  ws.once('open', () => resolve(undefined)).on('error', reject);
  await promise;
  ws.on('message', (data: Buffer) => {
    const event = JSON.parse(data.toString()) as { type: string; messageId: string; offset: number; text: string };
    const incoming = running.get(event.messageId);
    if (!incoming) return;
    if (event.type === 'delta') addText(incoming, event.offset, event.text);
    else finish(incoming, event.type === 'end' ? null : JSON.stringify(event));
  });
  return {
    send: async (options) => {
      const { incoming, done } = createIncoming(options);
      incoming.messageId = randomUUID();
      running.set(incoming.messageId, incoming);
      ws.send(JSON.stringify({ id: incoming.messageId, model: options.model, content: options.content }));
      return done.finally(() => running.delete(incoming.messageId));
    },
    close: () => ws.close(),
  };
};

/** One `data:` line's JSON of each event. */
const readEvents = (body: http.IncomingMessage, onEvent: (payload: Payload) => void): void => {
  let rest = '';
  body.setEncoding('utf8');
  body.on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const at = part.indexOf('data: ');
      if (at >= 0) onEvent(JSON.parse(part.slice(at + 6)) as Payload);
    }
  });
};

const post = (url: string, headers: Record<string, string>, body: object, agent: http.Agent) =>
  new Promise<http.IncomingMessage>((resolve, reject) => {
    http
      .request(url, { method: 'POST', agent, headers: { 'Content-Type': 'application/json', ...headers } }, resolve)
      .on('error', reject)
      .end(JSON.stringify(body));
  });

/** Server-sent events over a kept connection. */
export const connectSse = async (url: string, token: string): Promise<Client> => {
  const agent = new http.Agent({ keepAlive: true });
  const headers = { Authorization: `Bearer ${token}`, Accept: 'text/event-stream' };
  return {
    send: async (options) => {
      const { content, model, chatId } = options;
      const { incoming, done } = createIncoming(options);
      const body = await post(`${url}/api/chat/message`, headers, { content, model, chatId }, agent);
      if (body.statusCode !== 200) throw new Error(`status ${String(body.statusCode)}`);
      readEvents(body, (event) => {
        incoming.messageId = event.messageId ?? '';
        incoming.chatId = event.chatId ?? '';
        if (event.type === 'delta') addText(incoming, event.offset, event.text ?? '');
        else if (event.type === 'end') finish(incoming, event.status === 'complete' ? null : JSON.stringify(event));
      });
      body
        .on('end', () => incoming.reject(new Error('the stream ended before the reply')))
        .on('error', incoming.reject);
      return done;
    },
    close: () => agent.destroy(),
  };
};

/** An OpenAI API, read as cheaply as may be; who is asked is a server of ours, or a baseline that has no accounts. */
export const connectOpenAi = async (url: string, token: string): Promise<Client> => {
  const agent = new http.Agent({ keepAlive: true });
  return {
    send: async (options) => {
      const { incoming, done } = createIncoming(options);
      const messages = [
        { role: 'system', content: 'You are a helpful assistant.' },
        { role: 'user', content: options.content },
      ];
      const headers = { Authorization: `Bearer ${token}` };
      const request = { model: options.model, messages, stream: true };
      const body = await post(`${url}/v1/chat/completions`, headers, request, agent);
      if (body.statusCode !== 200) throw new Error(`status ${String(body.statusCode)}`);
      let rest = '';
      body.setEncoding('utf8');
      body.on('data', (chunk: string) => {
        rest += chunk;
        const end = rest.lastIndexOf('\n\n') + 2;
        const whole = rest.slice(0, end);
        rest = rest.slice(end);
        const text = [...whole.matchAll(/"content":"([^"]+)"/g)].map((match) => match[1]).join('');
        if (text !== '') addText(incoming, undefined, text);
        if (whole.includes('data: [DONE]')) finish(incoming, null);
      });
      body
        .on('end', () => incoming.reject(new Error('the stream ended before the answer')))
        .on('error', incoming.reject);
      return done;
    },
    close: () => agent.destroy(),
  };
};

/** The model endpoint itself, without any server between: what the others add is measured against it. */
export const connectUpstream = async (url: string): Promise<Client> => {
  const agent = new http.Agent({ keepAlive: true });
  return {
    send: async (options) => {
      const { incoming, done } = createIncoming(options);
      const messages = [
        { role: 'system', content: 'You are a helpful assistant.' },
        { role: 'user', content: options.content },
      ];
      const body = await post(
        `${url}/v1/chat/completions`,
        {},
        { model: options.model, messages, stream: true },
        agent,
      );
      let rest = '';
      body.setEncoding('utf8');
      body.on('data', (chunk: string) => {
        rest += chunk;
        const text = [...rest.matchAll(/"content":"([^"]+)"/g)].map((match) => match[1]).join('');
        if (text.length > incoming.text.length) addText(incoming, undefined, text.slice(incoming.text.length));
      });
      body.on('end', () => finish(incoming, null)).on('error', incoming.reject);
      return done;
    },
    close: () => agent.destroy(),
  };
};
