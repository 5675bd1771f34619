import { stripTypeScriptTypes } from 'node:module';

/** Node's own type stripping: what jest runs is, position for position, what `node src/server.ts` runs. */
const process = (source) => ({ code: stripTypeScriptTypes(source, { mode: 'strip' }) });

export default { process, processAsync: async (source) => process(source) };
