import type { Request, Response } from 'express';
import { AppError } from '../lib/errors.ts';
import { createEventWriter } from '../lib/eventWriter.ts';
import { newId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { actorOf } from '../middleware/request.ts';
import type { OpenAiError } from '../schemas/openai.errors.ts';
import { readCompletion, type CompletionBody } from '../schemas/openai.schemas.ts';
import { toCompletionView, toDataFrame, toOpenAiModelView, type AnswerHead } from '../schemas/openai.views.ts';
import type { CompletionRequest, CompletionService } from '../services/completions/index.ts';
import type { LlmRouter } from '../services/llm/index.ts';
import { createCollector } from './openai.collect.ts';
import { conversationOf } from './openai.conversation.ts';
import { toCompletionFailure } from './openai.failure.ts';
import { createProgress, type Progress } from './openai.progress.ts';
import { createChunkStream } from './openai.stream.ts';
import { admitStream, type StreamGate } from './replyStream.ts';

export interface OpenAiControllerOptions {
  readonly completions: CompletionService;
  readonly router: Pick<LlmRouter, 'models' | 'hasModel'>;
  readonly gate: StreamGate;
  /** Aborted when the server shuts down and open answers must end. */
  readonly closing: AbortSignal;
  /** Milliseconds of silence after which a stream shows life. */
  readonly heartbeatMs: number;
  readonly logger: Logger;
}

/** Milliseconds until a client that takes nothing is dropped. */
const STALL_MS = 60_000;
/** Models of the router's own: it chooses. */
const VIRTUAL_MODELS = ['auto', 'auto:fast', 'auto:cheap'] as const;
/** Why a call is ended whose client has left; made once, because making an error costs as much as ten tokens. */
const CLIENT_GONE = new Error('the client is gone');

/** Open WebUI names its chats in this header. */
const chatHeaderOf = (req: Request): string | null => req.get('X-OpenWebUI-Chat-Id') ?? null;

/**
 * Makes signals that are aborted when a client leaves before its answer is complete, or the server must end its answers.
 * Not `AbortSignal.any`, whose weak references cost some 15 µs for each request.
 */
const createUnwanted = (closing: AbortSignal): ((res: Response) => AbortSignal) => {
  const open = new Set<AbortController>();
  closing.addEventListener('abort', () => {
    for (const unwanted of open) unwanted.abort(closing.reason);
  });
  return (res) => {
    const unwanted = new AbortController();
    if (closing.aborted || res.destroyed) {
      unwanted.abort(closing.aborted ? closing.reason : CLIENT_GONE);
      return unwanted.signal;
    }
    open.add(unwanted);
    res.once('close', () => {
      open.delete(unwanted);
      if (!res.writableFinished) unwanted.abort(CLIENT_GONE);
    });
    return unwanted.signal;
  };
};

const newHead = (): AnswerHead => ({
  id: `chatcmpl-${newId().replaceAll('-', '')}`,
  created: Math.floor(Date.now() / 1000),
});

const startOf = (res: Response): number => {
  const startedAt: unknown = res.locals.startedAt;
  return typeof startedAt === 'number' ? startedAt : performance.now();
};

interface Exchange {
  readonly request: CompletionRequest;
  readonly includesUsage: boolean;
  readonly req: Request;
  readonly res: Response;
}

/** The door that OpenAI's SDKs fit: `/v1`. */
export const createOpenAiController = (options: OpenAiControllerOptions) => {
  const { completions, router, gate, closing, heartbeatMs } = options;
  const log = options.logger.child('openai');
  const startedAt = Date.now();
  const unwantedSignal = createUnwanted(closing);

  const modelIds = (): string[] => [...VIRTUAL_MODELS, ...router.models().map(({ id }) => id)];

  /** Tells in the headers of an error, too, what the router did; nothing where no model was asked. */
  const tell = (progress: Progress, res: Response): void => {
    if (progress.attempts() === 0) return;
    progress.answered();
    res.set(progress.headers());
  };

  /** What is cut because the server ends must not look like a defect of it. */
  const explain = (error: unknown, attempts: number): OpenAiError =>
    toCompletionFailure(closing.aborted ? new AppError('SHUTTING_DOWN', { cause: error }) : error, attempts);

  const stream = async ({ request, includesUsage, req, res }: Exchange): Promise<void> => {
    admitStream(gate, req, res);
    const progress = createProgress(startOf(res));
    const signal = unwantedSignal(res);
    const onStalled = (): void => {
      res.locals.cut = 'stalled';
    };
    const headers = (): ReturnType<typeof progress.headers> => progress.headers();
    const writer = createEventWriter(res, { signal, heartbeatMs, stallMs: STALL_MS, headers, onStalled });
    const take = createChunkStream({ head: newHead(), includesUsage, writer, progress });
    try {
      await completions.run(actorOf(req), request, { signal, take });
    } catch (error) {
      if (res.destroyed) return;
      const failure = explain(error, progress.attempts());
      if (!writer.isOpen()) {
        tell(progress, res);
        throw failure;
      }
      if (failure.status === 500) log.error('completion failed', { requestId: req.id, err: error });
      // Without an event name, which SDKs overlook, and without `[DONE]`: it is no end.
      writer.end(toDataFrame(failure.body));
    }
  };

  const answer = async ({ request, req, res }: Exchange): Promise<void> => {
    const actor = actorOf(req);
    res.once(
      'close',
      gate.loginEnds.onEnd(actor, () => res.destroy()),
    );
    const progress = createProgress(startOf(res));
    const collector = createCollector();
    // There is nothing to send before the end, however long it takes; the timeouts of the models bound it.
    res.setTimeout(0);
    try {
      await completions.run(actor, request, {
        signal: unwantedSignal(res),
        isWhole: true,
        take: (part) => {
          if (part.type === 'model') progress.asked(part.model);
          collector.add(part);
          return undefined;
        },
      });
    } catch (error) {
      if (res.destroyed) return;
      tell(progress, res);
      throw explain(error, progress.attempts());
    } finally {
      if (!res.destroyed) res.setTimeout(STALL_MS);
    }
    tell(progress, res);
    res.json(toCompletionView(newHead(), collector.whole(progress.model() ?? request.model)));
  };

  return {
    createCompletion: async (body: CompletionBody, req: Request, res: Response): Promise<void> => {
      const { isStream, includesUsage, conversation: named, ...fields } = readCompletion(body);
      const conversation = conversationOf(actorOf(req).ownerId, named ?? chatHeaderOf(req), fields.messages);
      const exchange = { request: { ...fields, conversation }, includesUsage, req, res };
      await (isStream ? stream(exchange) : answer(exchange));
    },
    listModels: (_req: Request, res: Response): void => {
      res.json({ object: 'list', data: modelIds().map((id) => toOpenAiModelView(id, startedAt)) });
    },
    getModel: (req: Request, res: Response): void => {
      const id = [req.params.id].flat().join('/');
      if (!modelIds().includes(id)) throw new AppError('MODEL_NOT_AVAILABLE');
      res.json(toOpenAiModelView(id, startedAt));
    },
  };
};

export type OpenAiController = ReturnType<typeof createOpenAiController>;
