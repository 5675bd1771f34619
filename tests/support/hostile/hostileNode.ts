import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createSimulator } from '../../../src/services/llm/simulator/index.ts';
import { PASSWORD } from '../http.ts';
import { SOURCE_ENTRY, spawnServer } from '../serverProcess.ts';
import { ALLOWED_ORIGIN } from './originRun.ts';
import { createFindings, type Findings } from './tally.ts';

/** A server in a process of its own, with the simulator as its models; every line that it prints is looked at. */
export interface HostileNode {
  readonly url: string;
  readonly isAlive: () => boolean;
  /** Tokens of links in mails, which a server without SMTP writes to its log. */
  readonly mailTokens: string[];
  /** Lines that the server wrote about requests and events that it answered. */
  readonly answered: () => number;
  readonly lines: () => number;
  /** Lines that are no JSON or too long, warnings and errors. */
  readonly logFindings: Findings;
  /** Largest memory seen, in MB. */
  readonly peakMb: () => number;
  /** Ends it as an operator would; the exit code. */
  readonly stop: () => Promise<number | null>;
}

const MODELS = ['sim/echo', 'sim/words:8'];
const MAX_LINE = 16 * 1024;

const NODE_ENV = {
  // Only 429s stand between the generator and the code behind the limits.
  RATE_LIMIT_AUTH_PER_MINUTE: '0',
  RATE_LIMIT_API_PER_MINUTE: '0',
  RATE_LIMIT_CHAT_PER_SECOND: '0',
  QUOTA_CONCURRENT_REPLIES: '0',
  MAX_CONNECTIONS_PER_USER: '0',
  LOGIN_THROTTLE: 'false',
  ACCESS_TOKEN_TTL: '12h',
  ADMIN_PASSWORD: PASSWORD,
  CORS_ORIGINS: ALLOWED_ORIGIN,
};

/** The largest resident memory of a process; 0 where Linux does not tell. */
const peakMbOf = (pid: number): number => {
  try {
    const [, kb = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
    return Math.round(Number(kb) / 1024);
  } catch {
    return 0;
  }
};

interface Watch {
  readonly line: (text: string) => void;
  readonly url: Promise<string>;
  readonly counts: { lines: number; answered: number };
  readonly mailTokens: string[];
  readonly findings: Findings;
  readonly fail: (error: Error) => void;
}

/** How many links of mails are kept: they are good for a while only. */
const MAX_LINKS = 50;

const lookForLink = (text: string, mailTokens: string[]): void => {
  const [, token] = /#token=([\w-]+)/.exec(text) ?? [];
  if (token !== undefined) mailTokens.push(token);
  if (mailTokens.length > MAX_LINKS) mailTokens.shift();
};

const watchLog = (): Watch => {
  const listening = Promise.withResolvers<string>();
  const counts = { lines: 0, answered: 0 };
  const mailTokens: string[] = [];
  const findings = createFindings();
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a line of a log
  const look = (entry: any, text: string): void => {
    if (entry.message === 'answered') counts.answered += 1;
    if (typeof entry.url === 'string' && entry.message === 'listening') listening.resolve(entry.url);
    lookForLink(entry.text ?? '', mailTokens);
    if (entry.level === 'error')
      findings.add(`log: error: ${String(entry.message)}: ${String(entry.code ?? '')}`, text);
    if (text.includes(PASSWORD)) findings.add('log: a password', text);
  };
  return {
    counts,
    mailTokens,
    findings,
    url: listening.promise,
    fail: (error) => listening.reject(error),
    line: (text) => {
      // What a person is told at the start.
      if (text === '' || text.startsWith('  ')) return;
      counts.lines += 1;
      if (text.length > MAX_LINE) findings.add('log: a line over 16 KB', text);
      try {
        look(JSON.parse(text), text);
      } catch {
        findings.add('log: a line that is no JSON', text);
      }
    },
  };
};

export const startHostileNode = async (): Promise<HostileNode> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'parley-hostile-'));
  const upstream = await createSimulator({ tokenDelayMs: 0, models: MODELS });
  const child = spawnServer(SOURCE_ENTRY, {
    ...NODE_ENV,
    DATA_DIR: dataDir,
    OPENROUTER_BASE_URL: upstream.baseUrl,
    OPENROUTER_API_KEY: upstream.apiKey,
    OPENROUTER_MODELS: MODELS.join(','),
  });
  const watch = watchLog();
  createInterface({ input: child.stdout ?? process.stdin }).on('line', watch.line);
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr = `${stderr}${chunk.toString()}`.slice(-5000)));
  child.once('exit', (code) => watch.fail(new Error(`the server ended with ${String(code)}: ${stderr}`)));
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null;
  const url = await watch.url;
  return {
    url,
    isAlive,
    mailTokens: watch.mailTokens,
    answered: () => watch.counts.answered,
    lines: () => watch.counts.lines,
    logFindings: watch.findings,
    peakMb: () => peakMbOf(child.pid ?? 0),
    stop: async () => {
      if (stderr !== '') watch.findings.add('stderr', stderr);
      if (isAlive()) {
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        await exited;
      }
      await upstream.close();
      rmSync(dataDir, { recursive: true, force: true });
      return child.exitCode;
    },
  };
};
