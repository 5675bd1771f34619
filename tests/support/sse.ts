export interface SseEvent {
  readonly event: string;
  readonly id: string | undefined;
  // Events are looked at by tests that know what they expect.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly data: any;
}

const fieldsOf = (block: string): Map<string, string> =>
  new Map(
    block
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(':'))
      .map((line) => {
        const at = line.indexOf(':');
        return [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')];
      }),
  );

/** Reads server-sent events as a simple client would, one block at a time. */
export async function* readEvents(response: Response): AsyncGenerator<SseEvent> {
  if (!response.ok || !response.body) throw new Error(`no stream: ${String(response.status)} ${await response.text()}`);
  let buffer = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    buffer += chunk;
    for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
      const fields = fieldsOf(buffer.slice(0, end));
      buffer = buffer.slice(end + 2);
      const data = fields.get('data');
      if (data !== undefined)
        yield { event: fields.get('event') ?? 'message', id: fields.get('id'), data: JSON.parse(data) };
    }
  }
}

/** The text that a client holds after these events, by the contract's rules. */
export const textOf = (events: readonly SseEvent[]): string => {
  let text = '';
  for (const { event, data } of events) {
    if (event === 'delta' && data.offset === text.length) text += String(data.text);
    else if (event === 'delta' && data.offset > text.length) throw new Error(`a gap at ${String(text.length)}`);
    else if (event === 'reset') text = text.slice(0, data.length);
  }
  return text;
};
