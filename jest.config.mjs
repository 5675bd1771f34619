/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/tests'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json', 'node'],
  transform: { '\\.ts$': '<rootDir>/tests/support/jestTransform.mjs' },
  setupFilesAfterEnv: ['<rootDir>/tests/support/setup.ts'],
  maxWorkers: 2,
  // A net under what hangs, and no measure of speed: a busy machine takes ten times as long for everything.
  testTimeout: 120_000,
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
  coverageReporters: ['text-summary', 'text', 'lcovonly'],
};
