import { NOTHING, post, refusedBy, stopwatch, type Question, type Seen, type Watch } from './seen.ts';
import type { TestUser } from '../world.ts';

const openAiBody = ({ model, content, extra }: Question, stream: boolean): object => ({
  model,
  stream,
  ...(stream ? { stream_options: { include_usage: true } } : {}),
  messages: [{ role: 'user', content }],
  ...extra,
});

// What the server answers is looked at by a test that knows what it expects.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const toWhole = ({ choices: [choice], model, usage }: any): Partial<Seen> => ({
  text: choice.message.content ?? '',
  finish: choice.finish_reason,
  model,
  tokens: usage?.total_tokens ?? null,
});

/** In one piece. */
export const askPlain = async (user: TestUser, question: Question): Promise<Seen> => {
  const watch = stopwatch();
  const response = await post(user, '/v1/chat/completions', openAiBody(question, false));
  if (!response.ok) return refusedBy(response, watch);
  const body: unknown = await response.json();
  watch.first();
  return { ...NOTHING, ...toWhole(body), state: 'complete', ends: 1, ...watch.times() };
};

/** The frames of `/v1` as a strict hand-written client reads them: what comes after the end counts as a second end. */
const createFrameReader = (watch: Watch) => {
  const seen: { -readonly [K in 'text' | 'finish' | 'code' | 'model' | 'tokens']: Seen[K] } = { ...NOTHING };
  let ends = 0;
  let isDone = false;

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const acceptChunk = ({ choices: [choice], model, usage }: any): void => {
    seen.model = model;
    seen.tokens = usage?.total_tokens ?? null;
    const text: string = choice?.delta.content ?? '';
    if (text !== '') watch.first();
    seen.text += text;
    if (!choice?.finish_reason) return;
    ends += 1;
    seen.finish = choice.finish_reason;
  };

  return {
    accept: (data: string): void => {
      if (isDone) ends += 1;
      isDone ||= data === '[DONE]';
      if (data === '[DONE]') return;
      const frame = JSON.parse(data);
      if (frame.error) {
        ends += 1;
        seen.code = String(frame.error.code);
      } else {
        acceptChunk(frame);
      }
    },
    seen: (): Seen => {
      const known = { ...NOTHING, ...seen, ends, ...watch.times() };
      if (seen.code !== null) return { ...known, state: seen.text === '' ? 'refused' : 'failed' };
      return { ...known, state: isDone && seen.finish !== null ? 'complete' : 'cut' };
    },
  };
};

/** As a stream. */
export const askStream = async (user: TestUser, question: Question): Promise<Seen> => {
  const watch = stopwatch();
  const response = await post(user, '/v1/chat/completions', openAiBody(question, true));
  if (!response.ok || !response.body) return refusedBy(response, watch);
  const reader = createFrameReader(watch);
  let held = '';
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const frames = (held + part).split('\n\n');
    held = frames.pop() ?? '';
    for (const frame of frames) if (frame.startsWith('data: ')) reader.accept(frame.slice('data: '.length));
  }
  return reader.seen();
};
