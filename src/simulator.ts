import { parseArgs } from 'node:util';
import { createSimulator, listModes, SIMULATOR_MODELS, type Simulator } from './services/llm/simulator/index.ts';
import { TIMINGS } from './services/llm/simulator/timing.ts';

const DEFAULT_PORT = 4010;
/** No secret: whoever reaches the port of this machine may use it. */
const DEFAULT_KEY = 'sim-local-key';

const HELP = `The Parley simulator: an OpenRouter that answers without a model, and fails in every way you ask it to.

  npm run simulator [-- flags]

  --port <number>     ${String(DEFAULT_PORT)} by default; 0 takes a free one
  --host <address>    127.0.0.1 by default; another one needs --key
  --key <text>        the API key that clients must send (${DEFAULT_KEY})
  --models <a,b>      what GET /models lists (${SIMULATOR_MODELS.join(',')}); any other name can be asked too
  --seed <number>     of everything random (1)
  --fast              short waits, for runs that cannot wait: 5 ms a token, outages of 6 s
  --list-modes        the ways to behave, one a line
  --help

More: docs/simulator.md
`;

interface Flags {
  readonly host: string;
  readonly port: number;
  readonly apiKey: string;
  readonly models: readonly string[];
  readonly seed: number;
  readonly timings: keyof typeof TIMINGS;
}

/** What is wrong with the command line; its message is for the person who wrote it. */
class UsageError extends Error {}

const wholeNumber = (flag: string, text: string, max: number): number => {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value <= max) return value;
  throw new UsageError(`--${flag} must be a whole number from 0 to ${String(max)}, not "${text}"`);
};

const parse = (args: readonly string[]) => {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    const options = {
      host: { ...text, default: '127.0.0.1' },
      port: { ...text, default: String(DEFAULT_PORT) },
      key: text,
      models: { ...text, default: SIMULATOR_MODELS.join(',') },
      seed: { ...text, default: '1' },
      fast: flag,
      'list-modes': flag,
      help: flag,
    };
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(Error.isError(error) ? error.message : String(error));
  }
};

const readFlags = (values: ReturnType<typeof parse>): Flags => {
  const { host, key } = values;
  const isLocal = /^(127\.[\d.]+|localhost|::1)$/.test(host);
  if (!isLocal && key === undefined)
    throw new UsageError(`--host ${host} can be reached by others: give them a --key to use`);
  if (key !== undefined && !/^[\x21-\x7E]+$/.test(key))
    throw new UsageError('--key must be printable ASCII characters without a space');
  const models = values.models.split(',').filter((model) => model !== '');
  if (models.length === 0) throw new UsageError('--models must name at least one model');
  return {
    host,
    port: wholeNumber('port', values.port, 65_535),
    apiKey: key ?? DEFAULT_KEY,
    models,
    seed: wholeNumber('seed', values.seed, 2 ** 32 - 1),
    timings: values.fast ? 'fast' : 'full',
  };
};

const modeList = (): string => {
  const width = Math.max(...listModes().map(({ syntax }) => syntax.length));
  return listModes()
    .map(({ syntax, about }) => `${syntax.padEnd(width)}  ${about}\n`)
    .join('');
};

const introduction = ({ baseUrl, apiKey, models }: Simulator): string => `Parley simulator: ${baseUrl}

Parley, at it:
  OPENROUTER_BASE_URL=${baseUrl} OPENROUTER_API_KEY=${apiKey} OPENROUTER_MODELS=${models.join(',')} npm start
Any OpenAI client:
  new OpenAI({ baseURL: '${baseUrl}', apiKey: '${apiKey}' })
  curl ${baseUrl}/chat/completions -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' \\
    -d '{"model":"sim/err-mid:3","stream":true,"messages":[{"role":"user","content":"Hello"}]}'

A model named sim/<mode> behaves as its mode says (--list-modes); the header x-sim-mode says it for one call.
What was called: curl ${new URL(baseUrl).origin}/__sim/log
`;

const serve = async (flags: Flags): Promise<void> => {
  const { timings, seed, ...options } = flags;
  const tokenDelayMs = TIMINGS[timings].tokenMs;
  const simulator = await createSimulator({ ...options, tokenDelayMs, hasControl: true, config: { seed, timings } });
  process.stdout.write(introduction(simulator));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(1));
      void simulator.close().then(() => process.exit(0));
    });
  }
};

const fail = (error: unknown): never => {
  const message = Error.isError(error) ? error.message : String(error);
  process.stderr.write(error instanceof UsageError ? `${message}\nTry --help.\n` : `${message}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
};

const main = async (): Promise<void> => {
  const values = parse(process.argv.slice(2));
  if (values.help) process.stdout.write(HELP);
  else if (values['list-modes']) process.stdout.write(modeList());
  else await serve(readFlags(values));
};

await main().catch(fail);
