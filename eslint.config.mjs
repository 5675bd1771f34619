import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/**
 * Who may import whom (docs/ARCHITECTURE.md has the table). A room is a folder of `src`.
 * `values`: rooms whose code may be imported; `types`: rooms of which only types may be.
 */
const ROOMS = {
  lib: { values: [], types: [], why: 'Lib is a leaf: it imports node and npm packages only' },
  config: { values: ['lib'], types: [], why: 'Config reads the environment and knows no other room' },
  models: { values: ['lib'], types: ['config'], why: 'Stores speak no business and no wire' },
  schemas: {
    values: ['lib'],
    types: ['models'],
    why: 'Schemas describe the wire: of the models they take the entities’ types, nothing that runs',
  },
  services: {
    values: ['lib', 'models', 'schemas'],
    types: ['config'],
    why: 'Services speak no protocol: what a door needs is handed to it, never fetched by the service',
  },
  middleware: {
    values: ['lib', 'schemas', 'services'],
    types: ['config'],
    why: 'Middleware stands before the controllers and touches no store',
  },
  controllers: {
    values: ['lib', 'schemas', 'services', 'middleware'],
    types: ['config'],
    why: 'A controller translates between HTTP and one service call; stores and sockets are not its business',
  },
  sockets: {
    values: ['lib', 'schemas', 'services'],
    types: ['config'],
    why: 'A socket handler translates between Socket.IO and one service call; stores and HTTP are not its business',
  },
  routes: {
    values: ['schemas', 'controllers', 'middleware'],
    types: ['lib', 'config'],
    why: 'A route file is a table of addresses: it names controllers, middleware and schemas',
  },
};
const PLUGGING = {
  regex: '^(\\.\\./)+(container|app|node|server)\\.ts$',
  message: 'container.ts, app.ts and node.ts plug the rooms together; a room never imports what plugs it in.',
};
const WIRE = {
  regex: '^(express|express-.*|socket\\.io|socket\\.io-client|ws|cors|helmet|supertest)(/|$)',
  message: 'This room speaks no protocol: express and socket.io stay at the doors.',
};
/** Files of a service that hold its contract (interfaces, their errors) and nothing that does the work. */
const CONTRACTS = 'auth/actor|llm/provider|llm/router\\.types|replies/reply';
/** What a room may not import besides other rooms. */
const EXTRA = {
  config: [WIRE],
  lib: [WIRE],
  models: [WIRE],
  schemas: [
    WIRE,
    {
      regex: '^(\\.\\./)+models/(?!entities\\.ts$)',
      message: 'Of the models, schemas know the entities’ types only.',
    },
  ],
  services: [
    WIRE,
    {
      regex: '^(\\.\\./)+models/(?!(entities|stores|errors)\\.ts$)',
      message: 'Services know the contract (entities, stores, errors), never which database is behind it.',
    },
    {
      regex: `^\\.\\./(?!(?:.*/)?index\\.ts$)(?!(?:${CONTRACTS})\\.ts$)(?!\\.\\./)[a-z]+/.+`,
      allowTypeImports: true,
      message: 'Another service is used through its index.ts or its contract; only types may come from elsewhere.',
    },
  ],
  middleware: [
    {
      regex: '^(\\.\\./)+services/(?!(auth|limits)/)',
      message: 'Middleware asks services/auth and services/limits; everything else is a controller’s call.',
    },
  ],
  controllers: [
    {
      regex: '^(\\.\\./)+middleware/(?!request\\.ts$)',
      allowTypeImports: true,
      message: 'Of the middleware, controllers run middleware/request.ts (who makes this request) only.',
    },
  ],
};

/** The import rule of one room, for `no-restricted-imports`. */
const importRule = (room) => {
  const { values, types, why } = ROOMS[room];
  const others = Object.keys(ROOMS).filter((other) => other !== room);
  const pattern = (rooms, extra) =>
    rooms.length === 0 ? [] : [{ regex: `^(\\.\\./)+(${rooms.join('|')})/`, message: `${why}.`, ...extra }];
  return {
    files: [`src/${room}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ...pattern(
              others.filter((other) => !values.includes(other) && !types.includes(other)),
              {},
            ),
            ...pattern(types, { allowTypeImports: true }),
            ...(EXTRA[room] ?? []),
            PLUGGING,
          ],
        },
      ],
    },
  };
};

const noLogicInRoutes = [
  { selector: 'IfStatement', message: 'A route file decides nothing: move the choice into a controller or service.' },
  { selector: ':function[async=true]', message: 'A route file does nothing: move the work into a controller.' },
];

const noObjectGetters = [
  {
    selector: 'ObjectExpression > Property[kind="get"]',
    message:
      'A getter in an object literal gives each object a slow shape of its own, and keeps dead ones: write a method.',
  },
];

const noFakesNoSleeps = [
  {
    selector: 'CallExpression[callee.object.name="jest"][callee.property.name=/^(mock|doMock|unstable_mockModule)$/]',
    message: 'Parts are handed in, not swapped behind the back: build the thing with a double (tests/support).',
  },
  {
    selector: 'CallExpression[callee.name="setTimeout"], ImportDeclaration[source.value=/timers.promises$/]',
    message: 'A sleep is either too short or too long: wait for the event (tests/support/waitFor.ts).',
  },
];

/** The lines that a function itself has, without blank lines, comments and the functions inside it. */
const ownLines = (sourceCode, node, nested) => {
  const mine = new Set();
  for (const token of sourceCode.getTokens(node)) {
    const [from, to] = token.range;
    if (nested.some(({ range }) => range[0] <= from && to <= range[1])) continue;
    for (let line = token.loc.start.line; line <= token.loc.end.line; line += 1) mine.add(line);
  }
  return mine.size;
};

/**
 * `createX` returns an object of functions, so its span is the size of a thing, not of a step: a long step hides
 * nowhere when each function is measured without those inside it.
 */
const maxOwnLines = {
  meta: { type: 'suggestion', schema: [{ type: 'integer' }] },
  create: ({ options: [max], sourceCode, report }) => {
    const nestedOf = [];
    return {
      ':function': () => void nestedOf.push([]),
      ':function:exit': (node) => {
        const lines = ownLines(sourceCode, node, nestedOf.pop());
        nestedOf.at(-1)?.push(node);
        if (lines > max) report({ node, message: `This function has ${lines} lines of its own, over ${max}.` });
      },
    };
  },
};

export default defineConfig(
  { ignores: ['dist*/', 'coverage/', 'data/', 'bench/results/', 'tests/support/ferretdb/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  { files: ['**/*.mjs'], extends: [tseslint.configs.strict] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      // `() => call()` is how this code base passes a call on; its result is nobody's business.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Code points are what the contract counts, and spreading a string gives them.
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      // What was caught or stored is thrown on as it is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      // An empty event map of Socket.IO is `Record<never, never>`.
      '@typescript-eslint/no-generated-empty-object-type': 'off',
      // Node's interfaces (a stream, a request) are met by whatever has their shape.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // The contract is asynchronous although one of two databases is not: such a method is async to turn throws
      // into rejections, not to await.
      '@typescript-eslint/require-await': 'off',
      complexity: ['error', 10],
      eqeqeq: 'error',
      'max-params': ['error', 3],
      'no-console': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { house: { rules: { 'max-own-lines': maxOwnLines } } },
    rules: {
      'max-lines': ['error', { max: 350, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 150, skipBlankLines: true, skipComments: true }],
      'house/max-own-lines': ['error', 50],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'The environment is read once, by src/config; take a Config.' },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/lib/**', 'src/models/**'],
    rules: { '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }] },
  },
  {
    files: ['src/**/*.ts'],
    // Its log shows what calls still under way have come to, and lives in no production server.
    ignores: ['src/services/llm/simulator/**'],
    rules: { 'no-restricted-syntax': ['error', ...noObjectGetters] },
  },
  ...Object.keys(ROOMS).map(importRule),
  // A store's methods begin with the key `(ownerId, id)`, which is one thing in two parameters.
  { files: ['src/models/**/*.ts'], rules: { 'max-params': ['error', { max: 4 }] } },
  {
    files: ['src/routes/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...noObjectGetters, ...noLogicInRoutes] },
  },
  { files: ['src/config/**/*.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['tests/**/*.ts', 'scripts/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Answers of a server are `any` until they are compared with what is expected.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-type-assertion': 'off',
      // A call reads as HTTP does: method, path, body, headers.
      'max-params': ['error', { max: 4 }],
    },
  },
  {
    files: ['tests/**/*.ts'],
    rules: { 'max-lines': ['error', { max: 450, skipBlankLines: true, skipComments: true }] },
  },
  {
    files: ['tests/**/*.ts'],
    ignores: ['tests/support/**'],
    rules: { 'no-restricted-syntax': ['error', ...noFakesNoSleeps] },
  },
);
