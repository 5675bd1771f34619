import { call } from '../http.ts';
import type { StoredMessage } from './checker.ts';

const all = async <T>(url: string, token: string, path: string): Promise<T[]> => {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page = cursor === null ? path : `${path}&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await call(`${url}${page}`, { headers: { Authorization: `Bearer ${token}` } });
    if (status !== 200) throw new Error(`${path} answered ${String(status)} ${JSON.stringify(body)}`);
    items.push(...body.items);
    cursor = body.nextCursor;
  } while (cursor !== null);
  return items;
};

/** Every message that an account has, through the door that clients read by. */
export const readStored = async (url: string, token: string): Promise<StoredMessage[]> => {
  const chats = await all<{ id: string }>(url, token, '/api/chat/sessions?limit=100');
  const messages: StoredMessage[] = [];
  for (const { id } of chats) {
    messages.push(...(await all<StoredMessage>(url, token, `/api/chat/sessions/${id}/messages?all=true&limit=200`)));
  }
  return messages;
};
