/** Values that no field expects. Made anew each time: a request may change them. */
export const ODD_VALUES = (): readonly unknown[] => [
  null,
  [],
  {},
  [[]],
  [null],
  0,
  -0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  '9007199254740993',
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\u202eevil',
  'x'.repeat(10_000),
  'NaN',
  'undefined',
  '2026-13-45T99:99:99Z',
  true,
  false,
  { length: 1e9 },
  { toString: 'x' },
  { valueOf: 1, toJSON: 1 },
  { type: 'Buffer', data: [1, 2, 3] },
  { $oid: '0'.repeat(24) },
  "' OR '1'='1",
  '{{7*7}}${7*7}',
  '../../etc/passwd',
  '\r\nSet-Cookie: evil=1',
];

export const OPERATORS = (): readonly unknown[] => [
  { $ne: null },
  { $gt: '' },
  { $gte: 0 },
  { $in: ['a'] },
  { $nin: [] },
  { $regex: '.*' },
  { $regex: '(a+)+$', $options: 'i' },
  { $where: 'sleep(1000)' },
  { $expr: { $eq: [1, 1] } },
  { $function: { body: 'return 1', args: [], lang: 'js' } },
  { $or: [{}, {}] },
  { $exists: true },
  { $type: 2 },
  { $elemMatch: {} },
];

/** Keys that a client must not set; those that an operation documents are left out by who uses them. */
export const FORBIDDEN_KEYS: Readonly<Record<string, unknown>> = {
  role: 'admin',
  isAdmin: true,
  admin: true,
  _id: 'x',
  id: 'x',
  userId: 'x',
  ownerId: 'x',
  createdBy: 'x',
  ver: 99,
  tokens: ['x'],
  createdAt: '2000-01-01T00:00:00.000Z',
  updatedAt: '2000-01-01T00:00:00.000Z',
  status: 'active',
  emailVerified: true,
  passwordHash: 'x',
  seq: 1,
  rev: 999,
  messageCount: 5,
  scopes: ['chat', 'read', 'admin'],
  lastLoginAt: null,
  permissions: ['*'],
};

/** What would be seen of a prototype that was changed: a new user would have this name and role. */
export const POLLUTION = 'polluted-prototype';
const POISON = JSON.stringify({ polluted: POLLUTION, fullName: POLLUTION, role: 'admin', stream: true, all: true });

/** Members of a JSON object, as text: `JSON.stringify` would not write the first. */
export const PROTOTYPE_MEMBERS: readonly string[] = [
  `"__proto__":${POISON}`,
  `"constructor":{"prototype":${POISON}}`,
  `"prototype":${POISON}`,
  '"toString":1',
  '"hasOwnProperty":"x"',
  '"valueOf":{}',
  '"__defineGetter__":1',
  '"then":"x"',
  '"toJSON":"x"',
];

export const BAD_TOKENS: readonly string[] = [
  'x',
  'null',
  'undefined',
  'a.b.c',
  '..',
  'eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJ4Iiwicm9sZSI6ImFkbWluIn0.',
  'parley_sk_',
  `parley_sk_${'0'.repeat(43)}`,
  'x'.repeat(8000),
  '%00',
  '{"$ne":null}',
];

/** Bytes that are no UTF-8, as the end of a text in JSON. */
export const BAD_UTF8: readonly (readonly number[])[] = [
  [0xff],
  [0xc0, 0xaf],
  [0xed, 0xa0, 0x80],
  [0xf5, 0x80, 0x80, 0x80],
  [0xe2, 0x82],
  [0x80],
];

/** Content that was made for the database of nobody: `../hostile` paths, ids and cursors. */
export const BAD_IDS: readonly string[] = [
  '0',
  '-1',
  'null',
  'undefined',
  'NaN',
  '__proto__',
  'constructor',
  'toString',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  "' OR 1=1 --",
  '{"$ne":null}',
  '[$ne]',
  '%',
  '*',
  'a'.repeat(65),
  'x'.repeat(2000),
  '🙂',
  '\u0000',
  '.',
  '..',
  '...',
];

export const BAD_CURSORS: readonly string[] = [
  '',
  'AAAA',
  'e30',
  'bnVsbA',
  'W10',
  'eyJzZXEiOnsiJGd0IjowfX0',
  'x'.repeat(512),
  'x'.repeat(513),
  '%00',
  '-1',
  '0',
  '[object Object]',
];
