import { bearer } from './accounts.ts';
import { connectAs } from './matrix.ts';
import { connectRaw } from './rawSocket.ts';

export const WIRES = ['socket.io', 'websocket', 'sse'] as const;

/**
 * One client on each live wire, in the order of `WIRES`.
 * @param messageId of a reply that runs, which the SSE client follows
 * @returns for each a promise of the moment at which its end was seen (`performance.now()`)
 */
export const openWires = async (url: string, token: string, messageId: string): Promise<Promise<number>[]> => {
  const socket = await connectAs(url, token);
  if (typeof socket === 'string') throw new Error(socket);
  const raw = await connectRaw(url, { token });
  const stream = await fetch(`${url}/api/chat/messages/${messageId}/stream`, { headers: bearer(token) });
  const reader = stream.body!.getReader();
  await reader.read();
  const streamEnd = async (): Promise<void> => {
    for (;;) if ((await reader.read()).done) return;
  };
  const at = (end: Promise<unknown>): Promise<number> =>
    end.then(
      () => performance.now(),
      () => performance.now(),
    );
  return [at(new Promise((resolve) => socket.once('disconnect', resolve))), at(raw.closed), at(streamEnd())];
};
