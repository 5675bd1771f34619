import type { Random } from '../random.ts';
import type { Actor } from './actors.ts';
import type { ApiDocument } from './document.ts';
import { NOTHING } from './draft.ts';
import { wsFrame } from './eio.ts';
import { BAD_IDS, BAD_TOKENS, BAD_UTF8, FORBIDDEN_KEYS, ODD_VALUES, OPERATORS, PROTOTYPE_MEMBERS } from './evil.ts';
import { dropSomewhere, replaceSomewhere } from './slots.ts';
import { boundaryValue, LEFT_OUT, validValue, type ValueTools } from './values.ts';

/** Something to be sent to a live door. */
export interface Frame {
  readonly kind: string;
  /** Texts and binaries, each a message of its own. */
  readonly messages: readonly (string | Buffer)[];
  /** Bytes that are written past the WebSocket's framing, instead. */
  readonly bytes?: Buffer;
  /** The connection may end of it: it is sent alone. */
  readonly mayEnd: boolean;
  /** The ack that must come. */
  readonly ackId?: number;
}

export interface FrameSource {
  readonly random: Random;
  readonly document: ApiDocument;
  readonly actor: Actor;
  readonly bystander: Actor;
  readonly nextAckId: () => number;
}

const toolsOf = ({ random, document, actor }: FrameSource): ValueTools => {
  const one = (kind: 'chat' | 'question' | 'reply'): string => random.pick([...actor.ids[kind], NOTHING]);
  const known: Record<string, () => unknown> = {
    content: () => `${actor.canary} hello`,
    chatId: () => one('chat'),
    parentId: () => LEFT_OUT,
    messageId: () => one(random.pick(['question', 'reply'])),
    model: () => random.pick(['sim/echo', 'auto']),
    token: () => actor.token,
    systemPrompt: () => LEFT_OUT,
    chatOf: () => LEFT_OUT,
    cursor: () => LEFT_OUT,
    items: () => [{ content: `${actor.canary} hello`, clientMessageId: `b${String(random.below(1e9))}` }],
  };
  return {
    random,
    resolve: document.resolve,
    known: (name) => (Object.hasOwn(known, name) ? known[name]?.() : undefined),
  };
};

type Payload = Record<string, unknown>;

/** Names what somebody else has, wherever the payload names something. */
const foreignIds = (payload: Payload, { random, bystander }: FrameSource): string => {
  const { chat, question, reply } = bystander.ids;
  const named = Object.keys(payload).filter((key) => key === 'chatId' || key === 'messageId');
  const names = named.length > 0 ? named : ['chatId'];
  const ids = names.map((name) => [name, random.pick(name === 'chatId' ? chat : [...question, ...reply])]);
  return JSON.stringify({ ...payload, ...Object.fromEntries(ids) });
};

/** What is done to a payload; the text of it comes back. */
const CHANGES: readonly ((payload: Payload, source: FrameSource, event: string) => string)[] = [
  (payload, { random }) => (
    replaceSomewhere(payload, () => random.pick(ODD_VALUES()), random),
    JSON.stringify(payload)
  ),
  (payload, { random }) => (
    replaceSomewhere(payload, () => random.pick(ODD_VALUES()), random),
    JSON.stringify(payload)
  ),
  (payload, { random }) => (replaceSomewhere(payload, () => random.pick(OPERATORS()), random), JSON.stringify(payload)),
  (payload, { random }) => (replaceSomewhere(payload, (old) => [old, old], random), JSON.stringify(payload)),
  (payload, { random }) => (dropSomewhere(payload, random), JSON.stringify(payload)),
  (payload, { random }) =>
    JSON.stringify({ ...payload, ...Object.fromEntries([random.pick(Object.entries(FORBIDDEN_KEYS))]) }),
  (payload, { random }) => JSON.stringify({ ...payload, x: 1 }).replace(/}$/, `,${random.pick(PROTOTYPE_MEMBERS)}}`),
  foreignIds,
  foreignIds,
  (payload, { random }) => {
    const name = random.pick(
      Object.keys(payload)
        .filter((key) => key.endsWith('Id'))
        .concat('chatId'),
    );
    return JSON.stringify({ ...payload, [name]: random.pick(BAD_IDS) });
  },
  (payload, source, event) => {
    const { properties = {} } = source.document.resolve(source.document.clientEvents[event]);
    const name = source.random.pick(Object.keys(properties));
    return JSON.stringify({ ...payload, [name]: boundaryValue(properties[name], toolsOf(source)) ?? null });
  },
  (_payload, { random }) => JSON.stringify(random.pick(ODD_VALUES())),
  (payload) => JSON.stringify(payload).replace(/"(\w)/, '"\\ud800$1'),
  (payload, { random }) => JSON.stringify({ ...payload, token: random.pick(BAD_TOKENS) }),
];

const payloadOf = (source: FrameSource, event: string): Payload =>
  validValue(source.document.clientEvents[event], '', toolsOf(source)) as Payload;

const hostilePayload = (source: FrameSource, event: string): string =>
  source.random.pick(CHANGES)(payloadOf(source, event), source, event);

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const bad = (random: Random): Buffer => Buffer.from(random.pick(BAD_UTF8));

/** Frames that are wrong for a WebSocket itself; all end the connection but fragments and pings. */
const WEBSOCKET: readonly ((random: Random, text: string) => Buffer)[] = [
  (random) => wsFrame(random.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), Buffer.from('x')),
  (random, text) => wsFrame(1, Buffer.from(text), { rsv: random.pick([1, 2, 4, 7]) }),
  (_random, text) => wsFrame(1, Buffer.from(text), { masked: false }),
  (_random, text) => wsFrame(0, Buffer.from(text)),
  (random) => wsFrame(1, Buffer.concat([Buffer.from('42["'), bad(random)])),
  () => wsFrame(9, Buffer.alloc(126)),
  () => wsFrame(9, Buffer.from('x'), { fin: false }),
  (random) => wsFrame(8, Buffer.from(random.pick([[], [3], [0, 0], [3, 237], [255, 255], [3, 232, 255]]))),
  () => Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  () => Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4]),
  (random) => Buffer.from(Array.from({ length: 40 }, () => random.below(256))),
  (_random, text) => Buffer.concat([wsFrame(1, Buffer.from(text), { fin: false }), wsFrame(1, Buffer.from(text))]),
  (_random, text) =>
    Buffer.concat(
      [...Buffer.from(text)].map((byte, index) =>
        wsFrame(index === 0 ? 1 : 0, Buffer.from([byte]), { fin: index === text.length - 1 }),
      ),
    ),
  (_random, text) =>
    Buffer.concat([
      wsFrame(1, Buffer.from(text), { fin: false }),
      wsFrame(9, Buffer.from('p')),
      wsFrame(0, Buffer.alloc(0), { fin: true }),
    ]),
  () =>
    Buffer.concat([
      ...Array.from({ length: 200 }, (_, index) => wsFrame(index === 0 ? 1 : 0, Buffer.alloc(0), { fin: false })),
      wsFrame(0, Buffer.alloc(0)),
    ]),
  () => wsFrame(10, Buffer.from('unasked')),
];

type Make = (source: FrameSource) => Omit<Frame, 'kind'>;
const alone = (...messages: (string | Buffer)[]) => ({ messages, mayEnd: true });

const ODD_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'chat:nothing',
  '',
  'x'.repeat(10_000),
  'CHAT:SEND',
  'chat:send\u0000',
  '🙂',
];
const RESERVED = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];

const asked = (source: FrameSource, rest: (event: string) => string): Omit<Frame, 'kind'> => {
  const ackId = source.nextAckId();
  const event = source.random.pick(Object.keys(source.document.clientEvents));
  return { messages: [`42${String(ackId)}${rest(event)}`], mayEnd: false, ackId };
};

/** What is sent to Socket.IO, by kind, and how often. */
export const SOCKET_IO: Readonly<Record<string, readonly [weight: number, make: Make]>> = {
  'valid event': [8, (source) => asked(source, (event) => JSON.stringify([event, payloadOf(source, event)]))],
  'hostile payload': [
    60,
    (source) => asked(source, (event) => `[${JSON.stringify(event)},${hostilePayload(source, event)}]`),
  ],
  'no ack': [
    5,
    (source) => ({
      messages: [
        asked(source, (event) => `[${JSON.stringify(event)},${hostilePayload(source, event)}]`)
          .messages[0]!.toString()
          .replace(/^42\d+/, '42'),
      ],
      mayEnd: false,
    }),
  ],
  'wrong arity': [
    8,
    (source) =>
      asked(source, (event) =>
        source.random.pick([
          `["${event}"]`,
          `["${event}",null]`,
          `["${event}",[]]`,
          `["${event}",{},{},{},"x"]`,
          `["${event}",1e308,null]`,
          `["${event}","x"]`,
          `["${event}",${nested(20)}]`,
        ]),
      ),
  ],
  'odd name': [
    5,
    (source) =>
      asked(source, () => `[${JSON.stringify(source.random.pick<string | number>([...ODD_NAMES, 0, -1, 1e21]))},{}]`),
  ],
  'reserved name': [
    2,
    ({ random }) =>
      alone(
        `42${random.pick(['', '1'])}[${random.pick([...RESERVED.map((name) => `"${name}"`), 'null', '{}', '[]', 'true'])},{}]`,
      ),
  ],
  'ack id': [
    3,
    ({ random }) =>
      alone(
        `42${random.pick(['999999999999999999999999', '00000001', '-1', '1e6', '4294967296', '9007199254740993', 'NaN', '1.5'])}["chat:sessions",{}]`,
      ),
  ],
  'ack of nothing': [
    3,
    ({ random }) => ({
      messages: [`43${String(random.below(1e9))}[${random.pick(['', '"x"', '{"__proto__":1}', 'null'])}]`],
      mayEnd: false,
    }),
  ],
  'packet type': [
    3,
    ({ random }) =>
      alone(
        `4${random.pick(['', '1', '3', '4', '44', '6', '7', '9', 'x', '\u0000', '2', '5', '40', '0', '0{}', '0[]', '0"x"', '0null'])}`,
      ),
  ],
  namespace: [
    2,
    ({ random }) =>
      alone(
        random.pick([
          '40/admin,{}',
          '40/__proto__,{}',
          '42/admin,["x"]',
          '41/admin,',
          '40/',
          `40/${'x'.repeat(5000)},`,
          '42/,["chat:sessions",{}]',
          '40/admin?x=1,{"token":"x"}',
        ]),
      ),
  ],
  binary: [
    3,
    (source) => {
      const { random } = source;
      const number = random.pick(['0', '1', '-1', '1e9', '"0"', 'null']);
      const count = random.pick(['1', '2', '0', '-1', '999999999', '1.5', '', 'x', '11']);
      const text = `45${count}-${String(source.nextAckId())}["chat:send",{"content":{"_placeholder":true,"num":${number}}}]`;
      return alone(text, ...Array.from({ length: random.below(3) }, () => Buffer.from([1, 2, 3])));
    },
  ],
  'lone binary': [
    1,
    ({ random }) => alone(Buffer.from(Array.from({ length: random.below(50) }, () => random.below(256)))),
  ],
  'engine packet': [
    2,
    ({ random }) =>
      alone(
        random.pick([
          '',
          '0',
          '1',
          '2',
          '2probe',
          '3',
          '3probe',
          '5',
          '6',
          '7',
          '8',
          'b',
          'bAAAA',
          'x',
          '\u0000',
          '0{"sid":"x"}',
          '4'.repeat(1000),
        ]),
      ),
  ],
  'broken JSON': [
    3,
    ({ random }) =>
      alone(
        `42${random.pick(['["chat:send",{', '[', '{}', '"x"', 'null', '[]', '["chat:send",{"content":"x"}]]', '["chat:send",undefined]', "['chat:send']", '[,]', '\ufeff["x"]'])}`,
      ),
  ],
  deep: [
    1,
    ({ random }) =>
      alone(
        `42${random.pick(['', '7'])}["chat:batch",{"items":${nested(random.pick([50, 1000, 20_000, 60_000]))}}]`,
        `451-["chat:batch",${nested(20_000)}]`,
        Buffer.from('x'),
      ),
  ],
  large: [1, ({ random }) => alone(`42["chat:send",{"content":"${'x'.repeat(256 * 1024 - 34 + random.below(30))}"}]`)],
  websocket: [
    4,
    ({ random }) => ({ messages: [], bytes: random.pick(WEBSOCKET)(random, '42["chat:sessions",{}]'), mayEnd: true }),
  ],
};

const RAW_TYPES: Readonly<Record<string, string>> = {
  message: 'chat:send',
  resume: 'chat:resume',
  stop: 'chat:stop',
  refresh: 'auth:refresh',
};

const rawAsked = (source: FrameSource, payload: (event: string) => string): Omit<Frame, 'kind'> => {
  const type = source.random.pick(Object.keys(RAW_TYPES));
  const text = payload(RAW_TYPES[type]!);
  const head = `{"type":"${type}","id":${String(source.nextAckId())}`;
  // What is no object stands in a field.
  const rest = text.startsWith('{') ? text.slice(1) : `"payload":${text}}`;
  return { messages: [rest === '}' ? `${head}}` : `${head},${rest}`], mayEnd: false };
};

/** What is sent to the raw WebSocket. Every message is answered, whatever it is. */
export const RAW: Readonly<Record<string, readonly [weight: number, make: Make]>> = {
  'valid frame': [8, (source) => rawAsked(source, (event) => JSON.stringify(payloadOf(source, event)))],
  'hostile frame': [60, (source) => rawAsked(source, (event) => hostilePayload(source, event))],
  ping: [
    4,
    ({ random }) => ({
      messages: [
        random.pick([
          '{"type":"ping"}',
          '{"type":"ping","id":"x"}',
          '{"type":"ping","x":1}',
          '{"type":"ping","id":{}}',
        ]),
      ],
      mayEnd: false,
    }),
  ],
  'odd type': [
    8,
    ({ random }) => ({
      messages: [
        JSON.stringify({
          type: random.pick<unknown>([...ODD_NAMES, ...ODD_VALUES(), 'pong', 'ack', 'error', 'chat:send']),
          id: random.pick(ODD_VALUES()),
        }),
      ],
      mayEnd: false,
    }),
  ],
  'no frame': [
    6,
    ({ random }) => ({
      messages: [
        random.pick([
          '',
          ' ',
          '{',
          '[]',
          'null',
          '0',
          '"x"',
          '{}',
          '[{}]',
          'undefined',
          '\ufeff{}',
          '{"type":"ping"}{"type":"ping"}',
          nested(100),
          '{"__proto__":{"type":"ping"}}',
          '{"type":"ping","constructor":{"prototype":{"polluted":1}}}',
        ]),
      ],
      mayEnd: false,
    }),
  ],
  binary: [
    4,
    ({ random }) => ({
      messages: [random.pick([Buffer.from('{"type":"ping"}'), Buffer.alloc(0), Buffer.from([255, 254, 0])])],
      mayEnd: false,
    }),
  ],
  deep: [1, ({ random }) => alone(`{"type":"message","content":${nested(random.pick([30, 33, 5000, 100_000]))}}`)],
  large: [1, ({ random }) => alone(`{"type":"message","content":"${'x'.repeat(256 * 1024 - 32 + random.below(30))}"}`)],
  websocket: [
    4,
    ({ random }) => ({ messages: [], bytes: random.pick(WEBSOCKET)(random, '{"type":"ping"}'), mayEnd: true }),
  ],
};

type Table = typeof SOCKET_IO;
const bags = new Map<Table, string[]>();

export const frameOf = (table: Table, source: FrameSource): Frame => {
  const bag =
    bags.get(table) ?? Object.entries(table).flatMap(([kind, [weight]]) => Array(weight).fill(kind) as string[]);
  bags.set(table, bag);
  const kind = source.random.pick(bag);
  return { kind, ...table[kind]![1](source) };
};
