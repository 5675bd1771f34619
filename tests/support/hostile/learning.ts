import { cookiesOf, type Actor, type IdKind } from './actors.ts';
import type { Draft, Surroundings } from './draft.ts';
import type { WireAnswer } from './wire.ts';

/** Ids that an actor remembers of a kind: enough to choose from, and what was deleted wears out. */
const MAX_IDS = 12;

// What a server sends is looked at, whatever it is.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = any;

const remember = (actor: Actor, kind: IdKind, id: unknown): void => {
  if (typeof id !== 'string') return;
  const ids = actor.ids[kind];
  ids.push(id);
  if (ids.length > MAX_IDS) ids.shift();
};

const rememberTurn = (actor: Actor, body: Body): void => {
  remember(actor, 'chat', body.chat?.id);
  remember(actor, 'question', body.userMessage?.id);
  remember(actor, 'reply', body.message?.id);
};

const goOnWith = (actor: Actor, { body, setCookies }: { body: Body; setCookies: readonly string[] }): void => {
  if (body.user?.id !== actor.id) return;
  if (actor.cookie !== null && setCookies.length > 0) actor.cookie = cookiesOf(setCookies);
  if (actor.token !== null && !actor.kind.startsWith('key:') && body.refreshToken !== undefined) {
    actor.token = body.accessToken;
    actor.refreshToken = body.refreshToken;
  }
};

/** What is made by an operation, so that later requests can name it. */
const LESSONS: Readonly<Record<string, (actor: Actor, body: Body, around: Surroundings) => void>> = {
  sendMessage: rememberTurn,
  editMessage: rememberTurn,
  regenerate: (actor, body) => remember(actor, 'reply', body.message?.id),
  createChat: (actor, body) => remember(actor, 'chat', body.id),
  createKey: (actor, body) => remember(actor, 'key', body.id),
  signup: (_actor, body, { targets }) => {
    if (typeof body.user?.id !== 'string') return;
    targets.push(body.user.id);
    if (targets.length > MAX_IDS) targets.shift();
  },
  getTotp: (actor, { enabled, secret, setupToken, recoveryCodes }) => {
    if (enabled === false) actor.totp = { secret, setupToken, recoveryCodes };
  },
  listLogins: (actor, body) => {
    for (const item of body.items) if (!item.current) remember(actor, 'login', item.id);
  },
};

const parse = (text: string): Body => {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
};

/** What was deleted, or was not there, is not asked for again, or hardly anything would be found. */
const forget = ({ actor, path, marks }: Draft, { targets }: Surroundings): void => {
  if (marks.length > 0) return;
  const lists = [...Object.values(actor.ids), targets];
  for (const ids of lists) {
    const at = ids.findIndex((id) => path.includes(id));
    if (at !== -1) ids.splice(at, 1);
  }
};

const rememberCursor = ({ operation, actor }: Draft, body: Body): void => {
  const cursor: unknown = body.nextCursor ?? (operation.id === 'sync' ? body.cursor : null);
  if (typeof cursor === 'string') actor.cursors.set(operation.id, cursor);
  else actor.cursors.delete(operation.id);
};

/** Takes from an answer what makes later requests sensible. */
export const learn = (draft: Draft, answer: WireAnswer, around: Surroundings): void => {
  const { operation, actor, method } = draft;
  if (answer.status === 404 || method === 'DELETE') forget(draft, around);
  const body = parse(answer.text);
  if (body.code === 'MFA_REQUIRED') actor.mfaToken = body.mfaToken;
  if (answer.status >= 300 || method !== operation.method) return;
  rememberCursor(draft, body);
  if (operation.id === 'refresh' || operation.id === 'login') goOnWith(actor, { body, setCookies: answer.setCookies });
  LESSONS[operation.id]?.(actor, body, around);
};
