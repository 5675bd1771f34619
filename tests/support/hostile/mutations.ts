import { gzipSync } from 'node:zlib';
import type { Random } from '../random.ts';
import { ID_KINDS } from './actors.ts';
import { expectNoLess, idKindsOf, NOTHING, toolsFor, type Draft, type Surroundings } from './draft.ts';
import {
  BAD_CURSORS,
  BAD_IDS,
  BAD_TOKENS,
  BAD_UTF8,
  FORBIDDEN_KEYS,
  ODD_VALUES,
  OPERATORS,
  PROTOTYPE_MEMBERS,
} from './evil.ts';
import { dropSomewhere, replaceSomewhere } from './slots.ts';
import { boundaryValue } from './values.ts';

/** Makes a request hostile in one way; false when there is nothing in it to be made so. */
export type Mutation = (draft: Draft, random: Random, around: Surroundings) => boolean;

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const always =
  (change: (draft: Draft, random: Random, around: Surroundings) => void): Mutation =>
  (draft, random, around) => {
    change(draft, random, around);
    return true;
  };
const withBody =
  (change: (draft: Draft, random: Random) => boolean | null): Mutation =>
  (draft, random) =>
    draft.body !== undefined && change(draft, random) !== false;

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const manyKeys = (): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${String(n)}`, n])));
const encode = (value: unknown): string =>
  encodeURIComponent((typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed());

/** Adds a key that no schema knows; false when there is nothing to add it to. */
const addKey = (body: unknown, key: string): boolean => {
  if (!isObject(body)) return false;
  body[key] = 1;
  return true;
};

/** Keys that the operation does not document. */
const forbiddenFor = ({ operation }: Draft, around: Surroundings): [string, unknown][] => {
  const documented = Object.keys(around.document.resolve(operation.body)?.properties ?? {});
  return Object.entries(FORBIDDEN_KEYS).filter(([key]) => !documented.includes(key));
};

const setInPath = (draft: Draft, id: string): boolean => {
  if (!draft.operation.path.includes('{')) return false;
  draft.path = draft.operation.path.replaceAll(/\{\w+\}/g, () => id);
  return true;
};

const BODIES: readonly ((text: string, random: Random) => Buffer)[] = [
  (text) => Buffer.from(text.slice(0, Math.max(1, text.length >> 1))),
  (text) => Buffer.from(`${text}${text}`),
  (text) => Buffer.from(`${text},`),
  (text) => Buffer.from(`\ufeff${text}`),
  (text) => Buffer.from(text, 'utf16le'),
  (text) => Buffer.from(`/**/${text}`),
  (text) => Buffer.from(text.replaceAll('"', "'")),
  (text) => Buffer.from(text.replace('{', '{"content":1,"content":2,')),
  (_text, random) => Buffer.from(nested(random.pick([31, 32, 33, 100, 10_000, 100_000]))),
  (_text, random) => Buffer.from(`{"content":${nested(random.pick([30, 31, 32, 5000]))}}`),
  () => Buffer.from(manyKeys()),
  (_text, random) => Buffer.from(random.pick(['null', 'true', '0', '"x"', '[]', '[{}]', '1e999', '-', '{}', ' '])),
  (text, random) =>
    Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from(random.pick(BAD_UTF8)), Buffer.from('"}')]),
  (_text, random) =>
    Buffer.concat([Buffer.from('{"content":"'), Buffer.from(random.pick(BAD_UTF8)), Buffer.from('"}')]),
  (_text, random) => Buffer.from(Array.from({ length: 200 }, () => random.below(256))),
  (text) => Buffer.from(text.replace(/"(\w)/, '"\\ud800$1')),
  (_text, random) => Buffer.from(`{"content":"${'x'.repeat(256 * 1024 - 14 + random.below(3))}"}`),
];

const CONTENT_TYPES = [
  '',
  'text/plain',
  'application/xml',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-7',
  'application/json; charset=utf-16',
  'application/json; charset=utf-8; charset=utf-7',
  'application/x-www-form-urlencoded',
  'application/problem+json',
  'application/json, text/plain',
  'APPLICATION/JSON',
  'application/json;',
  'application/json\u00ff',
  '*/*',
  'json',
];

const PATH_TRICKS: readonly ((path: string) => string)[] = [
  (path) => `/${path}`,
  (path) => `${path}/`,
  (path) => `${path}//`,
  (path) => `${path}/.`,
  (path) => `${path}/..`,
  (path) => `${path}/%2e%2e`,
  (path) => `${path}%00`,
  (path) => `${path}%ZZ`,
  (path) => `${path}%`,
  (path) => `${path}%c0%af`,
  (path) => `${path};a=b`,
  (path) => `${path}.json`,
  (path) => `${path}#x`,
  (path) => `${path}%20`,
  (path) => `${path}%3f`,
  (path) => path.toUpperCase(),
  (path) => path.replace(/\//g, '//'),
  (path) => path.replace(/\/(\w)/, '/.$1'),
  (path) => path.replace(/^\/(\w)/, (_all, letter: string) => `/%${letter.charCodeAt(0).toString(16)}`),
  (path) => path.replace(/\//g, '\\'),
  (path) => path.replace(/^\/\w+/, '/x/..$&'),
  (path) => `${path}/${'a/'.repeat(500)}`,
  (path) => `${path}\u00ff\u00fe`,
  (path) => `http://evil.example${path}`,
];

const METHODS = [
  'PUT',
  'TRACE',
  'PROPFIND',
  'PURGE',
  'LOCK',
  'M-SEARCH',
  'SEARCH',
  'OPTIONS',
  'HEAD',
  'DELETE',
  'POST',
  'GET',
  'PATCH',
];

const HEADERS: readonly (readonly [string, string])[] = [
  ['Host', 'evil.example'],
  ['Host', ''],
  ['X-Forwarded-For', '127.0.0.1'],
  ['X-Forwarded-Host', 'evil.example'],
  ['X-Forwarded-Proto', 'https'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['X-Original-URL', '/api/admin/users'],
  ['X-Request-Id', 'a b<script>'],
  ['X-Request-Id', 'x'.repeat(5000)],
  ['Accept', 'image/png'],
  ['Accept', '*/*;q=0'],
  ['Accept', 'text/event-stream'],
  ['Accept', ';;;,,,q='],
  ['Accept-Encoding', 'identity;q=0, *;q=0'],
  ['Accept-Language', 'x'.repeat(2000)],
  ['Range', 'bytes=0-1,5-2'],
  ['If-None-Match', '*'],
  ['If-Match', '"x"'],
  ['Cookie', 'parley_at=j:{"$ne":null}'],
  ['Cookie', `parley_at=${'x'.repeat(4000)}; parley_rt=%; __proto__=x`],
  ['Cookie', ';;;==;\u00ff'],
  ['Authorization', 'Basic YTpi'],
  ['Authorization', 'Bearer'],
  ['Authorization', 'Bearer \u00ff'],
  ['Idempotency-Key', ''],
  ['Idempotency-Key', 'k'.repeat(65)],
  ['Idempotency-Key', '\u00e9\u00ff{"$ne":1}'],
  ['Last-Event-ID', 'x'],
  ['Last-Event-ID', `${NOTHING}:-1`],
  ['Last-Event-ID', `${NOTHING}:99999999999999999999`],
  ['Last-Event-ID', ':::end'],
  ['User-Agent', '\u00ff<script>${7*7}'.repeat(50)],
  ['Content-Encoding', 'gzip'],
  ['Content-Encoding', 'br'],
  ['Content-Encoding', 'zip'],
  ['Content-Encoding', 'gzip, gzip'],
  ['Sec-Fetch-Site', 'cross-site'],
  ['Origin', 'https://evil.example'],
  ['Origin', 'null'],
  ['Access-Control-Request-Method', 'DELETE'],
  ['Expect', 'nonsense'],
  ['Expect', '100-continue'],
  ['Upgrade', 'h2c'],
  ['Connection', 'Upgrade, close'],
  ['TE', 'trailers, x'],
  ['Via', '1.1 x'],
  ['Max-Forwards', '0'],
  ['Prefer', 'wait=9999'],
];
/** Of these HTTP itself decides. */
const PROTOCOL_HEADERS = new Set(['Host', 'Expect', 'Upgrade', 'Connection', 'TE']);

const forgeCursor = (cursor: string | undefined, random: Random): string => {
  if (cursor === undefined || random.isTrue(0.3)) return random.pick(BAD_CURSORS);
  try {
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown;
    const values = [...ODD_VALUES(), 8.64e15 + 1, -8.64e15, 9_007_199_254_740_991, NOTHING, 'branch', 'tree', 'sync'];
    const isForged = replaceSomewhere(parts, () => random.pick(values), random);
    return Buffer.from(isForged ? JSON.stringify(parts) : cursor.slice(1)).toString('base64url');
  } catch {
    return `${cursor.slice(0, -2)}AA`;
  }
};

/** Every way, by name; how often each is taken is the number. */
export const MUTATIONS: Readonly<Record<string, readonly [weight: number, apply: Mutation]>> = {
  'wrong type': [8, withBody(({ body }, random) => replaceSomewhere(body, () => random.pick(ODD_VALUES()), random))],
  'missing field': [4, withBody(({ body }, random) => dropSomewhere(body, random))],
  'array for a value': [3, withBody(({ body }, random) => replaceSomewhere(body, (old) => [old, old], random))],
  'operator in the body': [
    6,
    withBody(({ body }, random) => replaceSomewhere(body, () => random.pick(OPERATORS()), random)),
  ],
  'mass assignment': [
    6,
    (draft, random, around) => {
      if (!isObject(draft.body)) return false;
      const [key, value] = random.pick(forbiddenFor(draft, around));
      draft.body = { ...draft.body, [key]: value };
      return true;
    },
  ],
  'unknown key': [2, withBody(({ body }, random) => addKey(body, `x${String(random.below(99))}`))],
  'dotted key': [
    2,
    withBody(({ body }, random) => addKey(body, random.pick(['a.b', '$set', 'content.$ne', 'user.role']))),
  ],
  'prototype key': [
    5,
    withBody(({ members }, random) => {
      members.push(random.pick(PROTOTYPE_MEMBERS));
      return null;
    }),
  ],
  boundary: [
    8,
    (draft, random, around) => {
      const properties = around.document.resolve(draft.operation.body)?.properties;
      if (!isObject(draft.body) || properties === undefined) return false;
      const name = random.pick(Object.keys(properties));
      const tools = toolsFor(draft.operation, draft.actor, random, around);
      draft.body[name] = boundaryValue(properties[name], tools);
      return true;
    },
  ],
  'query boundary': [
    5,
    (draft, random, around) => {
      const params = draft.operation.params.filter((param) => param.in === 'query');
      if (params.length === 0) return false;
      const { name, schema } = random.pick(params);
      const odd = random.isTrue(0.5)
        ? random.pick(ODD_VALUES())
        : boundaryValue(schema, toolsFor(draft.operation, draft.actor, random, around));
      draft.query = [...draft.query.filter((part) => !part.startsWith(`${name}=`)), `${name}=${encode(odd)}`];
      return true;
    },
  ],
  'bad bytes in the body': [
    5,
    withBody((draft, random) => {
      draft.rawBody = random.pick(BODIES)(JSON.stringify(draft.body), random);
      return null;
    }),
  ],
  'body over the limit': [
    1,
    withBody((draft, random) => {
      draft.rawBody = random.isTrue(0.5)
        ? Buffer.from(JSON.stringify({ content: 'x'.repeat(300 * 1024) }))
        : gzipSync(Buffer.alloc(2_000_000, 32));
      if (draft.rawBody[0] === 0x1f) draft.headers.push(['Content-Encoding', 'gzip']);
      draft.expects = 'protocol';
      return null;
    }),
  ],
  'content type': [
    4,
    withBody((draft, random) => {
      draft.contentType = random.pick(CONTENT_TYPES);
      return null;
    }),
  ],
  'body on a request without one': [
    2,
    (draft, random) => {
      if (draft.body !== undefined) return false;
      draft.rawBody = Buffer.from(random.pick(['{}', '[]', 'x', '{"content":1}', '\u0000', nested(50)]));
      draft.contentType = random.pick(['application/json', 'text/plain', 'application/json; charset=x']);
      return true;
    },
  ],
  'id of somebody else': [
    8,
    (draft, random, { bystander }) => {
      if (draft.operation.path.startsWith('/api/admin/')) return false;
      const fitting = idKindsOf(draft.operation.path);
      const kind = random.pick(fitting.length > 0 && random.isTrue(0.8) ? fitting : ID_KINDS);
      const id = random.pick(bystander.ids[kind]);
      if (setInPath(draft, id)) return true;
      const chatId = random.pick(bystander.ids.chat);
      if (isObject(draft.body)) draft.body[random.pick(['chatId', 'chatId', 'parentId', 'activeLeafId'])] = chatId;
      else draft.query = [...draft.query.filter((part) => !part.startsWith('chatId=')), `chatId=${chatId}`];
      return true;
    },
  ],
  'id that is none': [
    4,
    (draft, random) => setInPath(draft, random.isTrue(0.5) ? encode(random.pick(BAD_IDS)) : random.pick(BAD_IDS)),
  ],
  'operator in the query': [
    4,
    always((draft, random) => {
      const name = random.pick(['q', 'limit', 'cursor', 'chatId', 'id', 'sort', 'all', '__proto__', 'constructor']);
      const [operator = ''] = Object.keys(random.pick(OPERATORS()) as object);
      draft.query.push(
        random.pick([
          `${name}[${operator}]=1`,
          `${name}=${encode(random.pick(OPERATORS()))}`,
          `${name}[]=1`,
          `${name}.${operator}=1`,
          `${name}[__proto__][polluted]=1`,
        ]),
      );
    }),
  ],
  'parameter twice': [
    2,
    always(
      (draft, random) =>
        void draft.query.push(
          ...[`limit=${String(random.below(9))}`, 'limit=2', 'limit=3'].slice(0, 2 + random.below(2)),
        ),
    ),
  ],
  'broken query': [
    2,
    always(
      (draft, random) =>
        void draft.query.push(
          random.pick(['%', '%ZZ=1', '=', '&&&', '?', 'a=%ff%fe', 'q=%00', '\u00ff', 'q=%ed%a0%80', 'x'.repeat(3000)]),
        ),
    ),
  ],
  'many parameters': [
    1,
    always((draft) => {
      draft.query.push(...Array.from({ length: 1500 }, (_, n) => `p${String(n)}=1`));
    }),
  ],
  'long address': [
    1,
    always((draft, random) => {
      draft.query.push(`q=${'x'.repeat(random.pick([7000, 8200, 15_000, 20_000]))}`);
      draft.expects = 'protocol';
    }),
  ],
  'forged cursor': [
    5,
    (draft, random) => {
      if (!draft.operation.params.some(({ name }) => name === 'cursor')) return false;
      const cursor = forgeCursor(draft.actor.cursors.get(draft.operation.id), random);
      draft.query = [...draft.query.filter((part) => !part.startsWith('cursor=')), `cursor=${encode(cursor)}`];
      return true;
    },
  ],
  'path trick': [
    4,
    always((draft, random) => {
      draft.path = random.pick(PATH_TRICKS)(draft.path);
      expectNoLess(draft, 'address');
    }),
  ],
  'odd method': [
    3,
    (draft, random, { document }) => {
      const known = document.methodsOf(draft.operation.path);
      draft.method = random.pick(METHODS.filter((method) => !known.includes(method)));
      expectNoLess(draft, 'address');
      return true;
    },
  ],
  'odd header': [
    8,
    always((draft, random) => {
      const [name, value] = random.pick(HEADERS);
      draft.headers = [...draft.headers.filter(([known]) => known.toLowerCase() !== name.toLowerCase()), [name, value]];
      if (PROTOCOL_HEADERS.has(name)) draft.expects = 'protocol';
    }),
  ],
  'header twice': [
    2,
    always((draft, random) => {
      const [name, value] = random.pick(HEADERS.filter(([known]) => !PROTOCOL_HEADERS.has(known)));
      draft.headers.push([name, value], [name, random.pick(HEADERS)[1]]);
    }),
  ],
  'huge headers': [
    1,
    always((draft, random) => {
      const [count, size] = random.pick([
        [1, 17_000],
        [200, 10],
        [1500, 5],
        [90, 100],
      ] as const);
      for (let n = 0; n < count; n += 1) draft.headers.push([`X-Filler-${String(n)}`, 'y'.repeat(size)]);
      draft.expects = 'protocol';
    }),
  ],
  'bad credentials': [
    4,
    always((draft, random) => {
      const token = random.pick([
        ...BAD_TOKENS,
        `${draft.actor.token ?? 'x'}x`,
        (draft.actor.token ?? 'xx').slice(0, -2),
      ]);
      draft.headers = draft.headers.filter(([name]) => name !== 'Authorization' && name !== 'Cookie');
      draft.headers.push(
        random.isTrue(0.7)
          ? ['Authorization', `Bearer ${token}`]
          : ['Cookie', `parley_at=${token}; parley_rt=${token}`],
      );
    }),
  ],
};

const WEIGHTED: readonly string[] = Object.entries(MUTATIONS).flatMap(
  ([name, [weight]]) => Array(weight).fill(name) as string[],
);

/** Makes a request hostile, mostly in one way. */
export const mutate: (...given: Parameters<Mutation>) => void = (draft, random, around) => {
  const wanted = random.isTrue(0.8) ? 1 : 2;
  for (let tries = 0; tries < 20 && draft.marks.length < wanted; tries += 1) {
    const name = random.pick(WEIGHTED);
    if (MUTATIONS[name]?.[1](draft, random, around)) draft.marks.push(name);
  }
};
