/** Prints jest's result, read from the file that `--json --outputFile` wrote, as `N passed, N failed[, N skipped]`. */
import { readFileSync } from 'node:fs';

const read = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Jest never got as far as a result: that is a failure, not nothing.
    return { numRuntimeErrorTestSuites: 1 };
  }
};

const result = read(process.argv[2] ?? '');
const passed = result.numPassedTests ?? 0;
// A test file that could not be run has no failed tests, but has failed.
const failed = (result.numFailedTests ?? 0) + (result.numRuntimeErrorTestSuites ?? 0);
const skipped = (result.numPendingTests ?? 0) + (result.numTodoTests ?? 0);

process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
