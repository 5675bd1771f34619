import { ERROR_CODES } from '../lib/errorCodes.ts';
import type { EventDoc, OpenApiDocument } from '../schemas/openapi.ts';
import type { Entry } from './docs.curl.ts';
import { html, prose, type Html } from './docs.html.ts';
import { badge, operationView, type PageOptions } from './docs.operation.ts';
import { schemaView, typeOf } from './docs.schema.ts';

export type { PageOptions } from './docs.operation.ts';

const layout = (
  { document, base, assetVersion }: PageOptions,
  title: string,
  { nav, main }: { nav: Html; main: Html },
) =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${base}/docs/docs.css?v=${assetVersion}" />
        <script src="${base}/docs/docs.js?v=${assetVersion}" defer></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          <a class="home" href="${base}/docs">Parley</a> <span class="version">${document.info.version}</span>
          <a href="${base}/openapi.json">openapi.json</a> <a href="${base}/docs/errors">Errors</a>
        </header>
        <div class="columns">
          <nav aria-label="Contents">
            <details class="menu" open>
              <summary>Contents</summary>
              ${nav}
            </details>
          </nav>
          <main id="main">${main}</main>
        </div>
      </body>
    </html> `.text;

const eventTable = (events: Readonly<Record<string, EventDoc>>): Html =>
  html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>Event</th>
          <th></th>
          <th>Payload</th>
        </tr>
      </thead>
      <tbody>
        ${Object.entries(events).map(
          ([name, { description, payload }]) =>
            html`<tr>
              <td><code>${name}</code></td>
              <td>${prose(description)}</td>
              <td>${typeOf(payload)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;

const intro = ({ document, origin }: PageOptions): Html =>
  html`<h1>${document.info.title}</h1>
    <p>${prose(document.info.description)}</p>
    <h2 id="start">Start here</h2>
    <p>
      Make an account, keep its access token, and send a message. Or stay on this page: <em>Try it here</em> under an
      operation sends it from your browser, and signing up there logs this page in.
    </p>
    <pre class="copy">
TOKEN=$(curl -s ${origin}/api/auth/signup -H 'Content-Type: application/json' \\
  -d '{"username":"ada","email":"ada@example.com","password":"Analytical-1843"}' | sed 's/.*"accessToken":"\\([^"]*\\).*/\\1/')
curl -N ${origin}/api/chat/message -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{"content":"Hello!","stream":true}'</pre>`;

/** The addresses themselves; other spellings of the same thing are left out. */
const entriesOf = ({ paths }: OpenApiDocument): readonly Entry[] =>
  Object.entries(paths)
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ method, path, operation })))
    .filter(({ operation }) => !operation.operationId.endsWith('Alias'));

/** The documentation of the whole API as one page. */
export const docsPage = (options: PageOptions): string => {
  const { document } = options;
  const entries = entriesOf(document);
  const ofTag = (tag: string): readonly Entry[] =>
    entries.filter(({ operation }) => operation.tags.some((name) => name === tag));
  const link = ({ method, operation }: Entry): Html =>
    html`<li>
      <a href="#${operation.operationId}">${badge(method)}<span>${prose(operation.summary)}</span></a>
    </li>`;
  const nav = html`<ul>
      <li><a href="#start">Start here</a></li>
    </ul>
    ${document.tags.map(
      ({ name }) =>
        html`<h2>${name}</h2>
          <ul>
            ${ofTag(name).map(link)}
          </ul>`,
    )}
    <h2>Live</h2>
    <ul>
      <li><a href="#events">Server-sent events</a></li>
      <li><a href="#sockets">Socket.IO</a></li>
    </ul>
    <h2>Shapes</h2>
    <ul>
      ${Object.keys(document.components.schemas).map((name) => html`<li><a href="#shape-${name}">${name}</a></li>`)}
    </ul>`;
  const { sse, clientToServer, serverToClient } = document['x-events'];
  const main = html`${intro(options)}
    ${document.tags.map(
      ({ name, description }) =>
        html`<h2 id="tag-${name}">${name}</h2>
          <p>${description}.</p>
          ${ofTag(name).map((entry) => operationView(entry, options))}`,
    )}
    <h2 id="events">Server-sent events</h2>
    <p>
      ${prose('Each has `event: <type>`, `id: <messageId>:<offset after it>` and JSON in `data`. A client that holds `n` units applies a `delta` whose `offset` is `n`, drops one that is below, and asks again from `n` when it is above.')}
    </p>
    ${eventTable(sse)}
    <h2 id="sockets">Socket.IO</h2>
    <p>
      ${prose('Connect with `auth: { token }`, or with the cookie from an allowed origin. Every event takes an ack: `{ ok: true, … }` or `{ ok: false, error: Problem }`.')}
    </p>
    <h3>You send</h3>
    ${eventTable(clientToServer)}
    <h3>You hear</h3>
    ${eventTable(serverToClient)}
    <h2 id="shapes">Shapes</h2>
    ${Object.entries(document.components.schemas).map(
      ([name, schema]) =>
        html`<section class="shape" id="shape-${name}">
          <h3>${name}</h3>
          ${schemaView(schema)}
        </section>`,
    )}`;
  return layout(options, `${document.info.title} API`, { nav, main });
};

/** Every error code, each with the anchor that a problem's `type` names. */
export const errorsPage = (options: PageOptions): string => {
  const codes = Object.entries(ERROR_CODES);
  const statuses = [...new Set(codes.map(([, { status }]) => status))].sort((a, b) => a - b);
  const main = html`<h1>Errors</h1>
    <p>
      ${prose('Every door answers with the same object, `application/problem+json` over HTTP (RFC 9457). Decide by `code`, which is stable; `title` and `detail` are for people. `retryable` says that the same request, unchanged, can succeed later: wait `retryAfterMs` when it is there, and send the same `clientMessageId` again. A reply that has failed is told again under its id: ask for another with `regenerate`.')}
    </p>
    ${statuses.map(
      (status) =>
        html`<h2 id="s${status}">${status}</h2>
          <div class="scroll">
            <table>
              <thead>
                <tr>
                  <th>Code</th>
                  <th>Meaning</th>
                  <th>Retry</th>
                </tr>
              </thead>
              <tbody>
                ${codes
                  .filter(([, spec]) => spec.status === status)
                  .map(
                    ([code, { title, retryable }]) =>
                      html`<tr id="${code}">
                        <td><code>${code}</code></td>
                        <td>${title}</td>
                        <td>${retryable ? 'yes, later' : 'no'}</td>
                      </tr>`,
                  )}
              </tbody>
            </table>
          </div>`,
    )}`;
  const nav = html`<ul>
    ${statuses.map((status) => html`<li><a href="#s${status}">${status}</a></li>`)}
  </ul>`;
  return layout(options, 'Parley API: errors', { nav, main });
};
