import { parseSetCookie } from 'cookie';

/** Where a browser ended up. */
export interface Landing {
  /** The last address, whether there is anything at it or not. */
  readonly url: URL;
  /** Undefined: the address is of none of the known places, so that it was not opened. */
  readonly status: number | undefined;
  readonly text: string;
  readonly headers: Headers;
}

export interface Browser {
  /** Opens an address and follows where it is sent, filling in the issuer's forms. */
  open(url: string, options?: OpenOptions): Promise<Landing>;
  /** `name=value` of what it would send to an address. */
  cookiesFor(url: string): string;
  /** Puts a cookie into the jar, or takes it away. */
  setCookie(url: string, name: string, value: string | null): void;
  /** The attributes of the cookies that it was last given under these names. */
  readonly given: ReadonlyMap<string, string>;
}

export interface OpenOptions {
  /** Who logs in, where a form asks; null: goes back instead. */
  readonly login?: string | null;
  /** Stops before an address that matches is opened. */
  readonly until?: RegExp;
}

interface Kept {
  readonly name: string;
  readonly value: string;
  readonly path: string;
}

interface Next {
  readonly to: string;
  readonly form?: URLSearchParams;
}

const MAX_STEPS = 20;
/** Browsers drop larger ones (RFC 6265 §6.1). */
const MAX_COOKIE_BYTES = 4096;

const formIn = (html: string): { action: string; prompt: string } | null => {
  const action = /<form[^>]* action="([^"]+)"/.exec(html)?.[1];
  const prompt = /name="prompt" value="([^"]+)"/.exec(html)?.[1];
  return action && prompt ? { action: action.replaceAll('&amp;', '&'), prompt } : null;
};

/**
 * As much of a browser as signing in takes: cookies by host and path, redirections, forms.
 * @param places where the servers really are that have these origins, as `/etc/hosts` would say
 */
export const createBrowser = (
  places: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Browser => {
  const jar = new Map<string, Kept[]>();
  const given = new Map<string, string>();

  const keep = (url: URL, line: string): void => {
    const { name, value = '', path = '/', expires, maxAge } = parseSetCookie(line);
    if (name.length + value.length > MAX_COOKIE_BYTES) return;
    given.set(name, line);
    const others = (jar.get(url.hostname) ?? []).filter((cookie) => cookie.name !== name || cookie.path !== path);
    const isGone = (expires && expires.getTime() <= Date.now()) || (maxAge !== undefined && maxAge <= 0);
    jar.set(url.hostname, isGone ? others : [...others, { name, value, path }]);
  };

  const cookiesFor = (url: URL): string =>
    (jar.get(url.hostname) ?? [])
      .filter(({ path }) => url.pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');

  const request = async (url: URL, form?: URLSearchParams): Promise<Response> => {
    const real = new URL(url.pathname + url.search, places[url.origin] ?? url.origin);
    const response = await fetch(real, {
      redirect: 'manual',
      headers: { Accept: 'text/html,*/*;q=0.8', ...headers, Cookie: cookiesFor(url) },
      ...(form ? { method: 'POST', body: form } : {}),
    });
    for (const line of response.headers.getSetCookie()) keep(url, line);
    return response;
  };

  const isKnown = ({ hostname, origin }: URL): boolean => hostname === '127.0.0.1' || places[origin] !== undefined;

  /** Where it goes on from a page; null: this is where it ends. */
  const nextOf = (response: Response, text: string, login: string | null): Next | null => {
    const location = response.headers.get('Location');
    if (location !== null) return { to: location };
    const asked = formIn(text);
    if (!asked) return null;
    if (login === null) return { to: `${asked.action}/abort` };
    return { to: asked.action, form: new URLSearchParams({ prompt: asked.prompt, login, password: 'any' }) };
  };

  const open: Browser['open'] = async (address, { login = '', until } = {}) => {
    let url = new URL(address);
    let form: URLSearchParams | undefined;
    for (let step = 0; step < MAX_STEPS; step += 1) {
      if (!isKnown(url) || until?.test(url.href)) return { url, status: undefined, text: '', headers: new Headers() };
      const response = await request(url, form);
      const text = await response.text();
      const next = nextOf(response, text, login);
      if (!next) return { url, status: response.status, text, headers: response.headers };
      url = new URL(next.to, url);
      form = next.form;
    }
    throw new Error(`sent around for ${String(MAX_STEPS)} steps, lastly to ${url.href}`);
  };

  return {
    open,
    given,
    cookiesFor: (url) => cookiesFor(new URL(url)),
    setCookie: (url, name, value) => {
      const { hostname } = new URL(url);
      const others = (jar.get(hostname) ?? []).filter((cookie) => cookie.name !== name);
      jar.set(hostname, value === null ? others : [...others, { name, value, path: '/' }]);
    },
  };
};
