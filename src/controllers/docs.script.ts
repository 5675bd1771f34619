/**
 * What the documentation does in a browser: copies lines, and sends requests from this page. Without it everything can
 * still be read. It is a file of its own, so that the page's policy need not allow inline scripts.
 */
export const DOCS_JS = String.raw`
for (const pre of document.querySelectorAll('pre.copy')) {
  const frame = document.createElement('div');
  frame.className = 'copied';
  pre.replaceWith(frame);
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  frame.append(pre, button);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
}

const menu = document.querySelector('.menu');
const narrow = matchMedia('(max-width: 52rem)');
const fold = () => { menu.open = !narrow.matches; };
narrow.addEventListener('change', fold);
fold();
menu.addEventListener('click', (event) => { if (narrow.matches && event.target.closest('a')) menu.open = false; });

const requestOf = (form) => {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll('input')) {
    if (input.dataset.in === 'path') path = path.replace('{' + input.name + '}', encodeURIComponent(input.value || '-'));
    else if (input.value !== '') query.set(input.name, input.value);
  }
  const init = { method: form.dataset.method.toUpperCase(), headers: {}, credentials: 'same-origin' };
  const type = form.dataset.type;
  if (type) {
    init.headers['Content-Type'] = type;
    init.body = type.endsWith('json') ? form.elements.body.value : new URLSearchParams(JSON.parse(form.elements.body.value)).toString();
  }
  return [path + (query.size > 0 ? '?' + query : ''), init];
};

const pretty = (text) => {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
};

const show = async (response, output) => {
  const head = response.status + ' ' + response.statusText + '\n\n';
  if (!(response.headers.get('Content-Type') || '').startsWith('text/event-stream')) {
    output.textContent = head + pretty(await response.text());
    return;
  }
  output.textContent = head;
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    output.append(text);
    output.scrollTop = output.scrollHeight;
  }
};

for (const details of document.querySelectorAll('.try')) {
  details.hidden = false;
  const form = details.querySelector('form');
  const output = details.querySelector('output');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    output.textContent = '…';
    try {
      await show(await fetch(...requestOf(form)), output);
    } catch (error) {
      output.textContent = String(error);
    }
  });
}
`;
