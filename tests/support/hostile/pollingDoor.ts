import type { Actor } from './actors.ts';
import { frameOf, SOCKET_IO, type FrameSource } from './frames.ts';
import type { Findings } from './tally.ts';

const textOf = (message: string | Buffer): string =>
  typeof message === 'string' ? message.toWellFormed() : `b${message.toString('base64')}`;

const QUERIES = [
  'EIO=3',
  'EIO=99',
  'EIO=x',
  'EIO=4&transport=x',
  'EIO=4&transport=__proto__',
  'EIO=4&sid=__proto__',
  'EIO=4&transport=polling&sid=x',
  'EIO=4&transport=websocket&sid=x',
  'b64=1',
  '%',
  'EIO[]=4&transport[]=polling',
];

/**
 * One connection over HTTP long-polling, of hostile packets: how many of them were answered, which the server does when it has
 * read them. @param max of them
 */
export const pollOnce = async (
  url: string,
  { source, findings, max }: { source: FrameSource; findings: Findings; max: number },
): Promise<number> => {
  const { random } = source;
  const base = `${url}/socket.io/?EIO=4&transport=polling`;
  const judge = async (response: Response, what: string): Promise<boolean> => {
    const text = await response.text();
    if (response.status >= 500) findings.add(`polling: ${String(response.status)}`, `${what} → ${text}`);
    return response.status === 200;
  };
  if (random.isTrue(0.2)) {
    const query = random.pick(QUERIES);
    await judge(await fetch(`${url}/socket.io/?${query}`), query);
    return 1;
  }
  const opened = (await (await fetch(base)).text()).slice(1);
  const { sid } = JSON.parse(opened) as { sid: string };
  const post = async (body: string): Promise<boolean> =>
    judge(await fetch(`${base}&sid=${sid}`, { method: 'POST', body }), body.slice(0, 200));
  if (!(await post(`40${JSON.stringify({ token: (source.actor as Pick<Actor, 'token'>).token })}`))) return 0;
  let read = 0;
  while (read < max) {
    const frames = Array.from({ length: 1 + random.below(4) }, () => frameOf(SOCKET_IO, source));
    const packets = frames.flatMap(({ messages }) => messages.map(textOf));
    const isOpen = await post(packets.join(random.pick(['\u001e', '\u001e', '\u001e', '\u001e\u001e'])));
    if (!isOpen) return read + 1;
    read += frames.length;
  }
  await post('1');
  return read;
};
