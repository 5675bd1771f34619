import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createSimulator, type Simulator } from '../../../src/services/llm/simulator/index.ts';
import { call, PASSWORD } from '../http.ts';
import { createRandom, type Random } from '../random.ts';
import { openNew } from '../sqliteFixture.ts';
import { check, tally, type StoredMessage, type Tally } from './checker.ts';
import { createFaultClient, type FaultClient } from './faultClient.ts';
import { createFaultNode, type FaultNode } from './faultNode.ts';
import { createHistories, type Door, type Histories } from './history.ts';
import { readStored } from './stored.ts';

type Env = Readonly<Record<string, string>>;

export interface Account {
  readonly name: string;
  readonly token: string;
}

export interface ClientOptions {
  readonly door: Door;
  readonly account: Account;
  /** Where each try goes; the default is the first node, whenever it is up. */
  readonly target?: () => Promise<string>;
  /** How often it sends the same again after a broken connection, rather than to resume; the default is 0.3. */
  readonly repeats?: number;
}

export interface Verdict extends Tally {
  /** What was promised and not kept; empty is what every test wants. */
  readonly violations: readonly string[];
  readonly upstreamCalls: number;
}

/** Nodes as processes, a model that answers with the question, clients that write down what they see. */
export interface FaultWorld {
  readonly nodes: readonly FaultNode[];
  readonly upstream: Simulator;
  readonly histories: Histories;
  readonly random: Random;
  signUp(): Promise<Account>;
  client(options: ClientOptions): FaultClient;
  /** A message that no other is like, of so many words, some of them outside of ASCII and of the BMP. */
  text(words: number): string;
  /** Everything that is stored, through a node that is up. */
  stored(node?: FaultNode): Promise<ReadonlyMap<string, readonly StoredMessage[]>>;
  /** Compares what clients saw with what is stored, and with what the model was asked. */
  verify(node?: FaultNode): Promise<Verdict>;
  dispose(): Promise<void>;
}

export interface FaultWorldOptions {
  /** Chooses the database: `MONGODB_URI`, or nothing. */
  readonly env?: Env;
  readonly nodes?: number;
  readonly seed: number;
  /** Milliseconds between two words of the model. */
  readonly tokenDelayMs?: number;
  readonly dataDir?: string;
}

const WORDS = ['rain', 'Grüße', '世界', '🙂', 'naïve', '👩‍👩‍👧‍👦', 'stone', 'river', 'ωμέγα', 'x', 'lantern', '∑'];

export const createFaultWorld = async (options: FaultWorldOptions): Promise<FaultWorld> => {
  const random = createRandom(options.seed);
  const model = 'sim/echo';
  const upstream = await createSimulator({
    tokenDelayMs: options.tokenDelayMs ?? 2,
    models: [model],
    maxLogged: Infinity,
  });
  const env: Env = {
    OPENROUTER_BASE_URL: upstream.baseUrl,
    OPENROUTER_API_KEY: upstream.apiKey,
    OPENROUTER_MODELS: model,
    // What the model is asked stays small however long the chats get.
    CONTEXT_MAX_MESSAGES: '3',
    LOG_LEVEL: 'info',
    ...options.env,
  };
  const made = { env, ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }) };
  const nodes: FaultNode[] = [];
  for (let count = options.nodes ?? 1; count > 0; count -= 1) nodes.push(await createFaultNode(made));
  const [first] = nodes as [FaultNode];
  const histories = createHistories();
  const accounts: Account[] = [];
  const clients: FaultClient[] = [];
  let texts = 0;

  const stored: FaultWorld['stored'] = async (node = first) =>
    new Map(
      await Promise.all(accounts.map(async ({ name, token }) => [name, await readStored(node.url, token)] as const)),
    );

  return {
    nodes,
    upstream,
    histories,
    random,
    signUp: async () => {
      const username = `user_${randomBytes(8).toString('hex')}`;
      const json = { username, email: `${username}@example.com`, password: PASSWORD, session: 'token' };
      const { status, body } = await call(`${first.url}/api/auth/signup`, { method: 'POST', json });
      if (status !== 201) throw new Error(`signup answered ${String(status)}: ${JSON.stringify(body)}`);
      const account = { name: username, token: String(body.accessToken) };
      accounts.push(account);
      return account;
    },
    client: ({ door, account, target, repeats = 0.3 }) => {
      const { history, record } = histories.open(`${door}-${String(clients.length)}`, account.name);
      const whenUp = async (): Promise<string> => {
        await first.whenUp();
        return first.url;
      };
      const own = createRandom(random.below(2 ** 31));
      const client = createFaultClient({
        door,
        token: account.token,
        random: own,
        repeats,
        history,
        record,
        target: target ?? whenUp,
      });
      clients.push(client);
      return client;
    },
    text: (words) => {
      texts += 1;
      const list = Array.from({ length: words - 1 }, () => random.pick(WORDS));
      return [`m${String(texts)}-${randomBytes(6).toString('hex')}`, ...list].join(' ');
    },
    stored,
    verify: async (node = first) => {
      const upstreamCalls = upstream.log.map(
        ({ messages }) => messages.findLast(({ role }) => role === 'user')?.content ?? '',
      );
      const evidence = { histories: histories.all, stored: await stored(node), upstreamCalls, isEcho: true };
      return { violations: check(evidence), upstreamCalls: upstreamCalls.length, ...tally(evidence) };
    },
    dispose: async () => {
      for (const client of clients) client.close();
      for (const node of nodes) await node.dispose();
      await upstream.close();
    },
  };
};

/** What SQLite itself says about the file of a node that is down. */
export const integrityOf = (dataDir: string): unknown => {
  const db = openNew(join(dataDir, 'parley.db'));
  try {
    return [db.get('PRAGMA integrity_check'), db.all('PRAGMA foreign_key_check')];
  } finally {
    db.close();
  }
};

export const SOUND = [{ integrity_check: 'ok' }, []];
