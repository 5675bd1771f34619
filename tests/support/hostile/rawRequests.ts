import type { Random } from '../random.ts';
import type { WireRequest } from './wire.ts';

const textOf = ({ method, path, headers, body }: WireRequest): string => {
  const lines = [...headers, ['Host', 'x'], ['Content-Length', String(body?.length ?? 0)], ['Connection', 'close']];
  const head = lines.map(([name = '', value = '']) => `${name}: ${value}\r\n`).join('');
  return `${method} ${path} HTTP/1.1\r\n${head}\r\n${body?.toString('latin1') ?? ''}`;
};

const insert = (text: string, at: number, what: string): string => `${text.slice(0, at)}${what}${text.slice(at)}`;

/** What is done to the bytes of a request. */
const CHANGES: readonly ((text: string, random: Random) => string)[] = [
  (text, random) =>
    insert(text, random.below(text.length), random.pick(['\r\n', '\n', '\0', '\x7f', '\r', ' ', '\t', '\xff'])),
  (text, random) => text.slice(0, random.below(text.length)),
  (text, random) => {
    const at = random.below(text.length);
    return `${text.slice(0, at)}${String.fromCharCode(random.below(256))}${text.slice(at + 1)}`;
  },
  (text) => text.replace('HTTP/1.1', 'HTTP/9.9'),
  (text) => text.replace('HTTP/1.1', 'HTTP/1.0'),
  (text) => text.replace(/Host: x\r\n/, ''),
  (text) => text.replace('Connection: close\r\n', 'Transfer-Encoding: chunked\r\nConnection: close\r\n'),
  (text) => text.replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked, identity'),
  (text) => text.replace(/Content-Length: (\d+)/, 'Content-Length: $1\r\nContent-Length: 5'),
  (text) => text.replace(/Content-Length: \d+/, 'Content-Length: -1'),
  (text) => text.replace(/Content-Length: \d+/, 'Content-Length: 99999999999999999999'),
  (text) => text.replace(/Content-Length: \d+/, 'Content-Length : 0'),
  (text) => text.replace('\r\nHost', '\r\n Folded: x\r\nHost'),
  (text) => text.replaceAll('\r\n', '\n'),
  (text) => `${text}GET /health HTTP/1.1\r\nHost: x\r\n\r\n`,
  (text) => `\r\n\r\n${text}`,
  (text) => text.replace('Connection: close', 'Connection: Upgrade\r\nUpgrade: websocket'),
  (text, random) =>
    `${text.replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked')}${random.pick(['zz\r\n', 'ffffffffffffffff\r\nx', '0;ext="\r\n\r\n', '-1\r\n\r\n'])}`,
];

export const rawBytes = (sent: WireRequest, random: Random): Buffer =>
  Buffer.from(random.pick(CHANGES)(textOf(sent), random), 'latin1');

/** What is wrong with what came back: nothing at all is fine, the connection was closed. */
export const rawFault = (answer: string): string | null => {
  const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
  if (answer !== '' && statuses.length === 0) return 'an answer that is no HTTP';
  // 505: this version of HTTP is not spoken.
  if (statuses.some((status) => status >= 500 && status !== 505)) return `5xx (${statuses.join(', ')})`;
  return /node_modules|\bat \S+ \(/.test(answer) ? 'internals in an answer' : null;
};
