import type { Config } from './config/index.ts';
import type { Logger } from './lib/logger.ts';

/** A line that works when pasted: it signs up a guest and streams a first reply, in any POSIX shell with curl. */
const firstCall = (url: string): string =>
  `TOKEN=$(curl -s ${url}/api/auth/signup -H 'Content-Type: application/json' ` +
  `-d "{\\"username\\":\\"guest_$(date +%s)\\",\\"email\\":\\"guest_$(date +%s)@example.com\\",\\"password\\":\\"Correct-Horse-7\\",\\"session\\":\\"token\\"}" ` +
  `| sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/') && curl -N ${url}/api/chat/message ` +
  `-H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -H 'Accept: text/event-stream' ` +
  `-d '{"content":"Hello, Parley!"}'`;

/** Says where the node answers and what to try first: to a person on the terminal, to machines as one line. */
export const greet = (config: Config, url: string, logger: Logger): void => {
  const log = logger.child('server');
  const database = config.database.mongodbUri === null ? `SQLite in ${config.database.sqliteFile}` : 'MongoDB';
  const models = config.llm.provider === 'simulator' ? 'the built-in simulator (no key is set)' : config.llm.baseUrl;
  log.info('listening', { url, docs: `${url}/docs`, database, models });
  if (config.ignored.length > 0) log.warn('set, but not used by this version', { variables: config.ignored });
  const { publicUrl, trustProxyHops } = config.server;
  if (config.isProduction && /^https:/i.test(publicUrl ?? '') && trustProxyHops === 0) {
    log.warn(
      'PUBLIC_URL is https and TRUST_PROXY is 0: behind a proxy all users have its address, and share its limits',
    );
  }
  if (config.isProduction) return;
  const lines = [
    '',
    `  Parley answers at  ${url}`,
    `  Documentation      ${url}/docs`,
    `  Database           ${database}`,
    `  Models             ${models}`,
    '',
    '  Paste this for a first streamed reply:',
    '',
    `  ${firstCall(url)}`,
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
};
