import { isIPv6 } from 'node:net';

const GROUPS = 8;

/** The 16-bit groups of an IPv6 address as the URL standard spells it: compressed, without a zone, in hex throughout. */
const groupsOf = (address: string): number[] => {
  const { hostname } = new URL(`http://[${address}]`);
  const [head = '', tail] = hostname.slice(1, -1).split('::');
  const parse = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const left = parse(head);
  const right = parse(tail ?? '');
  const zeros = tail === undefined ? 0 : GROUPS - left.length - right.length;
  return [...left, ...Array<number>(zeros).fill(0), ...right];
};

const isMappedIPv4 = (groups: readonly number[]): boolean =>
  groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;

/**
 * The key under which an address is counted: IPv4 whole, IPv6 by its /56, because providers give a customer up to that many
 * addresses (facts/reliability-security §4, A10).
 * What is no address (a proxy may say `unknown`) is a key as it is, cut short.
 */
export const ipKey = (ip: string | undefined): string => {
  const address = (ip ?? '').split('%', 1)[0] ?? '';
  if (!isIPv6(address)) return `ip:${address.slice(0, 64)}`;
  const groups = groupsOf(address);
  if (isMappedIPv4(groups)) {
    const bytes = groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]);
    return `ip:${bytes.join('.')}`;
  }
  const [a = 0, b = 0, c = 0, d = 0] = groups;
  const prefix = [a, b, c, d & 0xff00].map((group) => group.toString(16));
  return `ip:${prefix.join(':')}::/56`;
};

/** The key under which a user is counted, wherever the requests come from. */
export const userKey = (userId: string): string => `user:${userId}`;

/** The key under which whoever asks is counted: an API key has limits of its own, the same figures as its user's. */
export const actorKey = ({ userId, keyId }: { readonly userId: string; readonly keyId: string | null }): string =>
  keyId === null ? userKey(userId) : `key:${keyId}`;
