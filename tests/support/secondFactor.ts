import { generateSync } from 'otplib';
import request from 'supertest';
import { bearer, PASSWORD, signUp, type ClockNode, type NewAccount, type Tokens } from './accounts.ts';
import { secretWatch } from './canaries/watch.ts';

/** A time step of an authenticator. */
export const STEP_MS = 30_000;

export interface Offer {
  readonly secret: string;
  readonly otpauthUri: string;
  readonly recoveryCodes: readonly string[];
  readonly setupToken: string;
}

/** Somebody with an authenticator. */
export type TotpUser = NewAccount & Tokens & Offer;

type Node = Pick<ClockNode, 'url' | 'node'>;

/** What the authenticator shows, so many steps from now by the node's clock. */
export const codeOf = (node: Node, secret: string, steps = 0): string =>
  generateSync({ secret, epoch: Math.floor((node.node.container.clock.now() + steps * STEP_MS) / 1000) });

/** A code that it shows at no time near now. */
export const wrongCodeOf = (node: Node, secret: string): string => {
  const near = new Set([-2, -1, 0, 1, 2].map((steps) => codeOf(node, secret, steps)));
  for (let number = 0; ; number += 1) {
    const code = String(number).padStart(6, '0');
    if (!near.has(code)) return code;
  }
};

export const getTotp = (node: Node, token: string) => request(node.url).get('/api/auth/mfa/totp').set(bearer(token));

export const confirmTotp = (node: Node, token: string, body: object) =>
  request(node.url).post('/api/auth/mfa/totp').set(bearer(token)).send(body);

export const removeTotp = (node: Node, token: string, body: object) =>
  request(node.url).delete('/api/auth/mfa/totp').set(bearer(token)).send(body);

export const offerFor = async (node: Node, token: string): Promise<Offer> => {
  const { body } = await getTotp(node, token).expect(200);
  for (const secret of [body.secret, body.setupToken, ...body.recoveryCodes])
    secretWatch.addSecret('a second factor', secret);
  return body as Offer;
};

/** A new account that has a second factor; the code of this step is spent. */
export const signUpWithTotp = async (node: Node): Promise<TotpUser> => {
  const user = await signUp(node.url);
  const offer = await offerFor(node, user.accessToken);
  const code = codeOf(node, offer.secret);
  await confirmTotp(node, user.accessToken, { setupToken: offer.setupToken, code, password: PASSWORD }).expect(200);
  return { ...user, ...offer };
};

export interface From {
  readonly from?: string;
  readonly deviceToken?: string | undefined;
}

const given = ({ deviceToken }: From): object => (deviceToken === undefined ? {} : { deviceToken });
const address = ({ from }: From): Record<string, string> => (from === undefined ? {} : { 'X-Forwarded-For': from });

/** The first step of a login. */
export const firstStep = (
  node: Node,
  { username, password }: Pick<NewAccount, 'username' | 'password'>,
  from: From = {},
) =>
  request(node.url)
    .post('/api/auth/login')
    .set(address(from))
    .send({ username, password, session: 'token', ...given(from) });

/** The token that the first step answers. */
export const mfaTokenOf = async (
  node: Node,
  user: Pick<NewAccount, 'username' | 'password'>,
  from: From = {},
): Promise<string> => {
  const { status, body } = await firstStep(node, user, from);
  if (status !== 401 || body.code !== 'MFA_REQUIRED')
    throw new Error(`login answered ${String(status)}: ${JSON.stringify(body)}`);
  return body.mfaToken;
};

/** The second step. */
export const secondStep = (node: Node, body: object, from: From = {}) =>
  request(node.url)
    .post('/api/auth/mfa')
    .set(address(from))
    .send({ session: 'token', ...given(from), ...body });
