import { call } from '../http.ts';
import { createRandom, type Random } from '../random.ts';
import { createCasting, type Actor, type Casting, type Kind } from './actors.ts';
import { readDocument, type ApiDocument, type Operation } from './document.ts';
import { toWire, validDraft, type Draft, type Surroundings } from './draft.ts';
import { learn } from './learning.ts';
import { mutate } from './mutations.ts';
import { faultsOf } from './restChecks.ts';
import { portraitOf } from './portrait.ts';
import { rawBytes, rawFault } from './rawRequests.ts';
import { createCounts, createFindings, type Counts, type Findings } from './tally.ts';
import { createWire, type NoAnswer, type Wire, type WireAnswer, type WireRequest } from './wire.ts';

export interface RestOptions {
  readonly url: string;
  readonly seed: number;
  readonly requests: number;
  /** Requests at a time. */
  readonly parallel: number;
  /** Tokens out of mails that the server wrote to its log. */
  readonly mailTokens?: string[];
  readonly onProgress?: (done: number) => void;
  /** Whether there is a server still. */
  readonly isAlive?: () => boolean;
}

export interface RestReport {
  readonly requests: number;
  readonly findings: Findings;
  readonly statuses: Counts;
  /** Requests, and accepted ones, of each operation. */
  readonly operations: ReadonlyMap<string, { readonly sent: Counts; accepted: number; total: number }>;
  readonly mutations: Counts;
  readonly noAnswer: Counts;
}

/** How often each asks; where only admins may, they ask more often. */
const CAST: readonly (readonly [Kind, number])[] = [
  ['user', 8],
  ['other', 4],
  ['cookie', 4],
  ['admin', 4],
  ['manager', 2],
  ['key:chat', 3],
  ['key:read', 2],
  ['anonymous', 2],
];
const WHOLE_CAST = CAST.flatMap(([kind, weight]) => Array(weight).fill(kind) as Kind[]);
const VALID = 0.45;
const RAW = 0.02;
/** What ends the actor's own account or logins is asked less often: everything else needs them. */
const ENDS_ACTOR = new Set(['deleteMe', 'logout', 'changePassword', 'clearHistory', 'revokeLogin']);

const isCut = (answer: WireAnswer | NoAnswer): answer is NoAnswer => 'failure' in answer;

const chooseKind = ({ path }: Operation, random: Random): Kind =>
  path.startsWith('/api/admin/') && random.isTrue(0.6) ? 'admin' : random.pick(WHOLE_CAST);

/** An actor of each kind; one whose login has ended is replaced by another of its kind. */
const createCast = async (casting: Casting) => {
  const cast = new Map<Kind, Actor>();
  const replacing = new Map<Kind, Promise<void>>();
  const replace = async (kind: Kind): Promise<void> => void cast.set(kind, await casting.make(kind));
  for (const [kind] of CAST) await replace(kind);
  return {
    of: (kind: Kind): Actor => cast.get(kind)!,
    /** To be told of each answer to an untouched request. */
    look: async (actor: Actor, answer: WireAnswer): Promise<void> => {
      const isOver = answer.status === 401 && /TOKEN_(REVOKED|EXPIRED|INVALID)|invalid_api_key/.test(answer.text);
      if (!isOver || cast.get(actor.kind) !== actor || replacing.has(actor.kind)) return;
      const under = replace(actor.kind).finally(() => replacing.delete(actor.kind));
      replacing.set(actor.kind, under);
      await under;
    },
    all: () => [...cast.values()],
  };
};
type Cast = Awaited<ReturnType<typeof createCast>>;

/** What a changed prototype or a role that was taken would show in. */
const lookForDamage = async (cast: Cast, casting: Casting, findings: Findings): Promise<void> => {
  for (const actor of cast.all()) {
    if (actor.kind === 'anonymous' || actor.kind.startsWith('key:')) continue;
    const { status, body } = await casting.as(actor, 'GET', '/api/auth/me');
    const role = actor.kind === 'admin' || actor.kind === 'manager' ? actor.kind : 'user';
    if (status === 200 && body.user.role !== role) findings.add('a role was taken', JSON.stringify(body));
  }
  const fresh = await casting.make('user');
  const { body } = await casting.as(fresh, 'GET', '/api/auth/me');
  if (body.user.fullName !== undefined || body.user.role !== 'user')
    findings.add('a prototype was changed', JSON.stringify(body));
};

const describe = ({ actor, marks }: Draft, wire: ReturnType<typeof toWire>, answer: WireAnswer | NoAnswer): string => {
  const body = wire.body === null ? '' : ` ${wire.body.toString('latin1').slice(0, 150)}`;
  const seen = isCut(answer)
    ? answer.failure
    : `${String(answer.status)} ${answer.text.slice(0, 200) || `(after ${answer.before})`}`;
  const headers = wire.headers
    .filter(([name]) => !/^(authorization|cookie|x-filler)/i.test(name))
    .map((pair) => pair.join(': ').slice(0, 60));
  return `[${marks.join(' + ') || 'valid'}] as ${actor.kind}: ${wire.method} ${wire.path.slice(0, 160)} {${headers.join(', ').slice(0, 160)}}${body} → ${seen}`;
};

interface Run {
  readonly random: Random;
  readonly document: ApiDocument;
  readonly cast: Cast;
  readonly around: Surroundings;
  readonly wire: Wire;
  readonly report: RestReport;
}

const chooseOperation = ({ random, document }: Run): Operation => {
  const operation = random.pick(document.operations);
  return ENDS_ACTOR.has(operation.id) && random.isTrue(0.7) ? random.pick(document.operations) : operation;
};

const judge = ({ report }: Run, draft: Draft, wire: ReturnType<typeof toWire>, answer: WireAnswer | NoAnswer): void => {
  const { findings, statuses, operations, mutations, noAnswer } = report;
  const { id } = draft.operation;
  const row = operations.get(id)!;
  row.total += 1;
  for (const mark of draft.marks) mutations.add(mark);
  if (isCut(answer)) {
    noAnswer.add(`${answer.failure}: ${draft.marks.join(' + ')}`);
    if (draft.expects !== 'protocol')
      findings.add(`${id}: no answer (${answer.failure})`, describe(draft, wire, answer));
    return;
  }
  statuses.add(String(answer.status));
  row.sent.add(String(answer.status));
  if (answer.status < 300 && draft.method === draft.operation.method) row.accepted += 1;
  for (const fault of faultsOf(draft, answer)) {
    findings.add(`${id}: ${String(answer.status)}: ${fault}`, describe(draft, wire, answer));
  }
};

/** What only HTTP's parser answers: it took the bytes for no request. */
const isBare = (answer: WireAnswer | NoAnswer): boolean =>
  !isCut(answer) && answer.status === 400 && answer.text === '' && answer.headers['x-request-id'] === undefined;

/** A good request that is answered so is sent again, alone on its connection: then it counts, whatever was before it. */
const sendFairly = async ({ wire, report }: Run, draft: Draft, sent: WireRequest): Promise<WireAnswer | NoAnswer> => {
  const answer = await wire.send(sent);
  if (draft.expects === 'protocol' || isCut(answer) || !isBare(answer)) return answer;
  report.noAnswer.add(`a bare 400 to ${sent.method} ${sent.path}, after ${answer.before}`);
  return wire.send({ ...sent, headers: [...sent.headers, ['Connection', 'close']] });
};

const sendOne = async (run: Run): Promise<void> => {
  const { random, cast, around, wire } = run;
  const operation = chooseOperation(run);
  const actor = cast.of(chooseKind(operation, random));
  const draft = validDraft(operation, actor, random, around);
  if (!random.isTrue(VALID)) mutate(draft, random, around);
  const sent = toWire(draft);
  if (random.isTrue(RAW)) {
    const bytes = rawBytes(sent, random);
    const fault = rawFault(await wire.sendBytes(bytes));
    run.report.mutations.add('bytes of the request itself');
    if (fault !== null) run.report.findings.add(`raw: ${fault}`, bytes.toString('latin1').slice(0, 400));
    return;
  }
  const answer = await sendFairly(run, draft, sent);
  judge(run, draft, sent, answer);
  if (isCut(answer)) return;
  learn(draft, answer, around);
  if (draft.marks.length === 0) await cast.look(actor, answer);
};

/** Sends generated requests to a server and judges every answer by the server's own OpenAPI document. */
export const runRest = async (options: RestOptions): Promise<RestReport> => {
  const { url, requests, parallel, mailTokens = [], onProgress, isAlive = () => true } = options;
  const document = readDocument((await call(`${url}/openapi.json`)).body);
  const casting = createCasting(url);
  const bystander = await casting.make('user');
  const before = await portraitOf(casting, bystander);
  const report: RestReport = {
    requests,
    findings: createFindings(),
    statuses: createCounts(),
    operations: new Map(document.operations.map(({ id }) => [id, { sent: createCounts(), accepted: 0, total: 0 }])),
    mutations: createCounts(),
    noAnswer: createCounts(),
  };
  const targets = await Promise.all([1, 2, 3].map(() => casting.makeTarget()));
  const around = { document, url, bystander, targets, mailTokens };
  const run = { document, around, report, cast: await createCast(casting), wire: createWire(url) };
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < requests && isAlive()) {
      const index = (next += 1);
      if (index % 500 === 0) onProgress?.(index);
      // Each request has its own choices, so that those of others, which end in any order, do not change them.
      await sendOne({ ...run, random: createRandom(options.seed * 1_000_003 + index) });
      if (index % 5000 === 0 || index === requests) await lookForDamage(run.cast, casting, report.findings);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  run.wire.close();
  if (!isAlive()) report.findings.add('the server died', '');
  else if ((await portraitOf(casting, bystander)) !== before) {
    report.findings.add('a bystander’s things were changed', `${before}\n${await portraitOf(casting, bystander)}`);
  }
  return report;
};
