import { afterAll, describe } from '@jest/globals';
import { HOW_TO_GET_MONGODB, startMongodb } from './mongodb.ts';

/** A database that a world or a process can run on: the variables that choose it, a new one each time. */
export interface TestDatabase {
  readonly name: string;
  env(): Readonly<Record<string, string>>;
}

/** Runs the same tests on the embedded database and on MongoDB; without one, those are skipped by a name that says so. */
export const describeOnEachDatabase = async (tests: (database: TestDatabase) => void): Promise<void> => {
  describe('on SQLite', () => tests({ name: 'SQLite', env: () => ({}) }));
  const mongodb = await startMongodb();
  if (mongodb === null) {
    describe.skip(`on MongoDB (${HOW_TO_GET_MONGODB})`, () => tests({ name: 'MongoDB', env: () => ({}) }));
    return;
  }
  describe('on MongoDB', () => {
    afterAll(() => mongodb.stop());
    tests({ name: 'MongoDB', env: () => ({ MONGODB_URI: mongodb.newDatabase() }) });
  });
};
