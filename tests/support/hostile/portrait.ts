import type { Actor, Casting } from './actors.ts';

const PATHS = [
  '/api/auth/me',
  '/api/chat/sessions',
  '/api/keys',
  '/api/auth/sessions',
  '/api/auth/mfa/totp',
  '/api/sync',
];
/** What may change by itself, or is made anew for each answer. */
const RESTLESS =
  /"(lastSeenAt|lastUsedAt|expiresAt|cursor|secret|otpauthUri|setupToken|recoveryCodes)":("[^"]*"|null|\[[^\]]*\])/g;

/** Everything that an actor has, as text: what must stay as it is, whatever others do. */
export const portraitOf = async (casting: Casting, actor: Actor): Promise<string> => {
  const [chatId = ''] = actor.ids.chat;
  const paths = [...PATHS, `/api/chat/sessions/${chatId}/messages?all=true`];
  const answers = await Promise.all(paths.map((path) => casting.as(actor, 'GET', path)));
  return JSON.stringify(answers.map(({ status, body }) => [status, body])).replaceAll(RESTLESS, '');
};
