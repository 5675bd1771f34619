import type { OpenApiDocument, OperationDoc, ResponseDoc } from '../schemas/openapi.ts';
import { curl, type Entry } from './docs.curl.ts';
import { html, prose, type Html } from './docs.html.ts';
import { fieldTable, schemaView, typeOf } from './docs.schema.ts';

export interface PageOptions {
  readonly document: OpenApiDocument;
  /** Where the reader reached the server: goes into the lines to copy. */
  readonly origin: string;
  /** What stands before `/docs` in the address: nothing, or `/api`. */
  readonly base: string;
  /** Changes with the style and the script, which browsers keep. */
  readonly assetVersion: string;
}

export const badge = (method: string): Html => html`<span class="method ${method}">${method.toUpperCase()}</span>`;

const parameters = ({ operation }: Entry): Html => {
  const items = operation.parameters ?? [];
  if (items.length === 0) return html``;
  return html`<h4>Parameters</h4>
    ${fieldTable(
      items.map((item) => ({
        name: item.name,
        schema: item.schema,
        isRequired: item.required,
        description:
          [item.in === 'query' ? '' : `In the ${item.in}.`, item.description ?? ''].join(' ').trim() || undefined,
      })),
    )}`;
};

/** Follows a reference to a named shape, so that a body is a table where it is used. */
const resolved = (document: OpenApiDocument, { $ref, ...inline }: { readonly $ref?: string | undefined }) =>
  $ref === undefined ? inline : (document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {});

const body = ({ operation }: Entry, document: OpenApiDocument): Html => {
  const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (!media?.schema) return html``;
  return html`<h4>Body <small>${type ?? ''}</small></h4>
    ${schemaView(resolved(document, media.schema))}`;
};

const refusal = (ref: string, base: string): Html[] =>
  (ref.split('/').at(-1) ?? '')
    .split('.')
    .map((code) => html`<a class="code" href="${base}/docs/errors#${code}">${code}</a> `);

const success = ({ description, content = {} }: ResponseDoc): Html =>
  html`${prose(description)}${Object.entries(content).map(
    ([type, { schema }]) =>
      html`<br />${schema && type.endsWith('json') ? typeOf(schema) : null} <small>${type}</small>`,
  )}`;

const answers = ({ operation }: Entry, base: string): Html =>
  html`<h4>Answers</h4>
    <div class="scroll">
      <table class="answers">
        <tbody>
          ${Object.entries(operation.responses).map(
            ([status, response]) =>
              html`<tr>
                <td class="status s${status.slice(0, 1)}">${status}</td>
                <td>${'$ref' in response ? refusal(response.$ref, base) : success(response)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;

const field = (id: string, label: string, control: Html): Html => html`<label for="${id}">${label}</label>${control}`;

/** A form that the script brings to life: it sends the request from this page, with this browser's login. */
const tryIt = ({ method, path, operation }: Entry): Html => {
  const id = operation.operationId;
  const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const inputs = (operation.parameters ?? [])
    .filter((item) => item.in !== 'header' && item.name !== 'ticket')
    .map((item) =>
      field(
        `${id}-${item.name}`,
        item.name,
        html`<input id="${id}-${item.name}" name="${item.name}" data-in="${item.in}" autocomplete="off" />`,
      ),
    );
  const text = JSON.stringify(media?.example ?? {}, null, 2);
  return html`<details class="try" hidden>
    <summary>Try it here</summary>
    <form data-method="${method}" data-path="${path}" data-type="${type}">
      ${inputs}
      ${type === undefined ? null : field(`${id}-body`, 'Body', html`<textarea id="${id}-body" name="body" rows="${text.split('\n').length}" spellcheck="false">${text}</textarea>`)}
      <button>Send</button><output aria-live="polite"></output>
    </form>
  </details>`;
};

const who = ({ security }: OperationDoc): string => {
  if (security.length === 0) return 'No login needed';
  return security.length === 3 ? 'Bearer token, cookie, or ticket' : 'Bearer token or cookie';
};

/** Everything about one operation: what it does, takes and answers, a line to copy, and a form to try it. */
export const operationView = (entry: Entry, { document, origin, base }: PageOptions): Html =>
  html` <section class="operation" id="${entry.operation.operationId}">
    <h3>
      ${badge(entry.method)} <code>${entry.path}</code>
      <a class="anchor" href="#${entry.operation.operationId}" aria-label="Link to this">#</a>
    </h3>
    <p class="summary">${prose(entry.operation.summary)} <small>${who(entry.operation)}</small></p>
    ${entry.operation.description === undefined ? null : html`<p>${prose(entry.operation.description)}</p>`}
    <pre class="copy">${curl(entry, origin)}</pre>
    ${parameters(entry)}${body(entry, document)}${answers(entry, base)}${tryIt(entry)}
  </section>`;
