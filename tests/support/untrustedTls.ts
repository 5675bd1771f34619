import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * A certificate of `localhost` that is right in all but one thing: nobody vouches for it. Its key is good for nothing else.
 * Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=localhost
 * -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.
 */
export const UNTRUSTED = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9x9M5qbIU4KlS9ug
7kfnBFiEXUMWjaOTm7KzMVx02d6hRANCAATaiVQJ77VzY+90n05IdQyV8NF1dH43
RmxFQJB6Us9vP3nml0GfGUzDDQdGFdBJ5VtQNJ8vBaaI/C5Q+M+7aCcQ
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUdwz4ZY51eRHwn314ViQu7khF06IwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjA0MjkxOVoYDzIxMjYxMDI5
MDQyOTE5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATaiVQJ77VzY+90n05IdQyV8NF1dH43RmxFQJB6Us9vP3nml0GfGUzD
DQdGFdBJ5VtQNJ8vBaaI/C5Q+M+7aCcQo28wbTAdBgNVHQ4EFgQUhnMbbZCju/m7
C/0eeMepdZyszf4wHwYDVR0jBBgwFoAUhnMbbZCju/m7C/0eeMepdZyszf4wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAM9zj9s6bvOipDOWd9w+Tg0dlbhAQtGbUMI9M29ZPHxJAiEA
zsXGB8KTV5+ppag5AwZGbg4/ZLTyAciNZMbOnQhAPwI=
-----END CERTIFICATE-----`,
};

export interface UntrustedServer {
  readonly url: string;
  /** Addresses that somebody asked for, who did not mind the certificate. */
  readonly asked: readonly string[];
  /** Asks as somebody who trusts the certificate: nothing else is wrong with the server. */
  askTrusting(path: string): Promise<string>;
  stop(): void;
}

/** An https server on loopback with that certificate; answers everything with `{}`. */
export const startUntrusted = async (): Promise<UntrustedServer> => {
  const asked: string[] = [];
  const server = createServer(UNTRUSTED, (req, res) => {
    asked.push(req.url ?? '');
    res.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://localhost:${String((server.address() as AddressInfo).port)}`;
  return {
    url,
    asked,
    askTrusting: (path) =>
      new Promise((resolve, reject) => {
        get(`${url}${path}`, { ca: UNTRUSTED.cert }, (res) => void text(res).then(resolve, reject)).once(
          'error',
          reject,
        );
      }),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};
