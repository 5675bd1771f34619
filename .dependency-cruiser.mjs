/** What a look at single files cannot see: cycles, files nobody uses, and who holds an implementation. */
const PLUGS = '^src/(container|app|node|server)\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Of two files that need each other neither can be read, tested or moved alone. Types count too.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports it: delete it, or plug it in.',
      severity: 'error',
      from: { orphan: true },
      to: {},
    },
    {
      name: 'not-reachable-from-server',
      comment: 'Neither the server nor `npm run simulator` loads it: delete it, or plug it in.',
      severity: 'error',
      from: { path: '^src/(server|simulator)\\.ts$' },
      to: { path: '^src/', pathNot: '\\.worker\\.ts$|^src/(server|simulator)\\.ts$', reachable: false },
    },
    {
      name: 'plugs-are-not-imported',
      comment: 'container, app, node and server plug the rooms together; a room that imports them turns that around.',
      severity: 'error',
      from: { pathNot: PLUGS },
      to: { path: PLUGS },
    },
    {
      name: 'only-the-container-picks-implementations',
      comment:
        'Contracts are for everyone; which implementation is used is said once: here, or by the front door it calls.',
      severity: 'error',
      from: {
        pathNot: [PLUGS, '^src/services/llm/index\\.ts$', '^src/services/[^/]+/[^/]+\\.(provider|memory|redis)\\.ts$'],
      },
      to: {
        path: '^src/services/[^/]+/[^/]+\\.(provider|memory|redis)\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'only-the-container-opens-stores',
      comment: 'models/index.ts opens the one database that is configured; nobody else asks which one it is.',
      severity: 'error',
      from: { pathNot: [PLUGS, '^src/models/'] },
      to: { path: '^src/models/index\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'databases-stay-in-models',
      severity: 'error',
      from: { pathNot: '^src/models/(index\\.ts$|mongo/|sqlite/)' },
      to: { path: '^src/models/(mongo|sqlite)/' },
    },
    {
      name: 'databases-do-not-meet',
      comment: 'Each would pass the contract suite without the other.',
      severity: 'error',
      from: { path: '^src/models/(mongo|sqlite)/' },
      to: { path: '^src/models/(mongo|sqlite)/', pathNot: '^src/models/$1/' },
    },
    {
      name: 'mongoose-only-in-models-mongo',
      severity: 'error',
      from: { pathNot: '^src/models/mongo/' },
      to: { path: '(^|node_modules/)(mongoose|mongodb|bson)(/|$)' },
    },
    {
      name: 'sqlite-only-in-models-sqlite',
      severity: 'error',
      from: { pathNot: '^src/models/sqlite/' },
      to: { path: '^(node:)?sqlite$' },
    },
    {
      name: 'no-undeclared-packages',
      comment: 'The image is installed without devDependencies: what runs must be in `dependencies`.',
      severity: 'error',
      from: {},
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'npm-optional', 'unknown', 'undetermined'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
