import { createHash, createHmac, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { listenOnLoopback, type Listener } from './listen.ts';

type Json = Readonly<Record<string, unknown>>;

/** An ID token before it is signed. */
export interface IdToken {
  readonly header: Json;
  readonly claims: Json;
  /** Its signature over `<header>.<claims>`. */
  readonly sign: (input: string) => Buffer;
}

/** What an issuer made by hand does wrong, if anything. */
export interface Behaviour {
  /** Claims of the ID token, over the right ones. */
  readonly claims?: Json;
  readonly userinfo?: Json;
  readonly metadata?: Json;
  readonly idToken?: (right: IdToken) => IdToken;
  /** The token endpoint's answer, instead of tokens. */
  readonly tokenAnswer?: { readonly status: number; readonly body: Json };
  /** What stands in the redirection back, over `code` and `state`. */
  readonly redirection?: Readonly<Record<string, string | null>>;
}

/** An issuer made by hand: right in everything until it is told otherwise, and consents without asking anybody. */
export interface FakeIssuer extends Listener {
  behave(behaviour: Behaviour): void;
  /** Requests to its endpoints so far, as `GET /jwks`. */
  readonly requests: readonly string[];
}

export const FAKE_CLIENT = { id: 'parley-at-fake', secret: 'canary-of-the-fake-client-secret' };

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export const rsaSigner =
  (key: KeyObject) =>
  (input: string): Buffer =>
    sign('sha256', Buffer.from(input), key);
export const hmacSigner =
  (secret: string) =>
  (input: string): Buffer =>
    createHmac('sha256', secret).update(input).digest();
export const newRsaKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 });

interface Asked {
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
}

const send = (res: ServerResponse, status: number, body: Json): void =>
  void res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));

export const startFakeIssuer = async (): Promise<FakeIssuer> => {
  const listener = await listenOnLoopback();
  const { url } = listener;
  const { privateKey, publicKey } = newRsaKey();
  const codes = new Map<string, Asked>();
  const requests: string[] = [];
  let behaviour: Behaviour = {};

  const metadata = (): Json => ({
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    userinfo_endpoint: `${url}/userinfo`,
    jwks_uri: `${url}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
    ...behaviour.metadata,
  });

  const authorize = (query: URLSearchParams, res: ServerResponse): void => {
    const code = randomBytes(16).toString('hex');
    const redirectUri = query.get('redirect_uri') ?? '';
    codes.set(code, { nonce: query.get('nonce') ?? '', challenge: query.get('code_challenge') ?? '', redirectUri });
    const back = new URL(redirectUri);
    const told: Behaviour['redirection'] = { code, state: query.get('state') ?? '', ...behaviour.redirection };
    for (const [name, value] of Object.entries(told)) if (value !== null) back.searchParams.set(name, value);
    res.writeHead(302, { Location: back.href }).end();
  };

  const idTokenOf = ({ nonce }: Asked): string => {
    const iat = Math.floor(Date.now() / 1000);
    const right: IdToken = {
      header: { alg: 'RS256', kid: 'fake' },
      claims: { iss: url, aud: FAKE_CLIENT.id, sub: 'somebody', nonce, iat, exp: iat + 60, ...behaviour.claims },
      sign: rsaSigner(privateKey),
    };
    const { header, claims, sign: signer } = behaviour.idToken?.(right) ?? right;
    const input = `${base64url(header)}.${base64url(claims)}`;
    return `${input}.${signer(input).toString('base64url')}`;
  };

  /** Whether a request for tokens is of the client that began, with what it began with. */
  const isRight = (req: IncomingMessage, form: URLSearchParams, asked: Asked | undefined): boolean => {
    const [, basic = ''] = /^Basic (.*)$/.exec(req.headers.authorization ?? '') ?? [];
    const client = decodeURIComponent(Buffer.from(basic, 'base64').toString());
    const verifier = form.get('code_verifier') ?? '';
    return (
      client === `${FAKE_CLIENT.id}:${FAKE_CLIENT.secret}` &&
      asked?.challenge === createHash('sha256').update(verifier).digest('base64url') &&
      asked.redirectUri === form.get('redirect_uri')
    );
  };

  const token = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const form = new URLSearchParams(await text(req));
    const code = form.get('code') ?? '';
    const asked = codes.get(code);
    codes.delete(code);
    if (behaviour.tokenAnswer) send(res, behaviour.tokenAnswer.status, behaviour.tokenAnswer.body);
    else if (!asked || !isRight(req, form, asked)) send(res, 400, { error: 'invalid_grant' });
    else send(res, 200, { access_token: 'an-access-token', token_type: 'Bearer', id_token: idTokenOf(asked) });
  };

  listener.serve((req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? '/', url);
    requests.push(`${req.method ?? ''} ${pathname}`);
    if (pathname === '/.well-known/openid-configuration') send(res, 200, metadata());
    else if (pathname === '/authorize') authorize(searchParams, res);
    else if (pathname === '/token') void token(req, res);
    else if (pathname === '/userinfo')
      send(res, 200, { sub: behaviour.claims?.sub ?? 'somebody', ...behaviour.userinfo });
    else if (pathname === '/jwks') {
      send(res, 200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'fake', use: 'sig', alg: 'RS256' }] });
    } else res.writeHead(404).end();
  });
  return {
    ...listener,
    requests,
    behave: (next) => {
      behaviour = next;
    },
  };
};
