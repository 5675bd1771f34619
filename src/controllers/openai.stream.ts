import type { EventWriter } from '../lib/eventWriter.ts';
import { createChunkFrames, type AnswerHead, type WholeAnswer } from '../schemas/openai.views.ts';
import type { CompletionSink } from '../services/completions/index.ts';
import type { Progress } from './openai.progress.ts';
import { createThoughts } from './openai.thoughts.ts';

interface ChunkStreamOptions {
  readonly head: AnswerHead;
  readonly includesUsage: boolean;
  readonly writer: EventWriter;
  readonly progress: Progress;
}

/**
 * Encodes the parts of an answer as OpenAI's chunks while they come. A plain function per part and no iterator: each
 * would cost every token several turns of the microtask queue.
 */
export const createChunkStream = ({
  head,
  includesUsage,
  writer,
  progress,
}: ChunkStreamOptions): CompletionSink['take'] => {
  const frames = createChunkFrames(head, includesUsage);
  const thoughts = createThoughts();
  let usage: WholeAnswer['usage'] = null;

  /** The role comes first, in the same write as what it is the role of. */
  const write = (frame: string): Promise<void> | undefined => {
    if (progress.hasAnswered()) return writer.write(frame);
    progress.answered();
    return writer.write(frames.role() + frame);
  };

  return (part) => {
    switch (part.type) {
      case 'model':
        progress.asked(part.model);
        thoughts.asked();
        frames.setModel(part.model);
        return undefined;
      case 'delta':
        return write(frames.text(part.text));
      case 'refusal':
        return write(frames.refusal(part.text));
      case 'reasoning':
        return write(frames.reasoning(thoughts.take(part)));
      case 'tool_calls':
        return write(frames.toolCalls(part.calls));
      case 'extra':
        return write(frames.extra(part));
      case 'usage':
        usage = part.usage;
        return undefined;
      case 'finish': {
        const first = progress.hasAnswered() ? '' : frames.role();
        progress.answered();
        writer.end(first + frames.end(part.reason, usage));
        return undefined;
      }
      default:
        return undefined;
    }
  };
};
