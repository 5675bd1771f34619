import { z } from 'zod';

export const modelListSchema = z
  .strictObject({
    items: z.array(
      z.strictObject({
        id: z.string(),
        weight: z.int(),
        requests: z.int(),
        failures: z.int(),
        next: z.boolean().meta({ description: 'Whether `auto` takes it for the next message' }),
      }),
    ),
    nextCursor: z.null(),
    simulated: z.boolean().meta({ description: 'Whether the built-in simulator answers instead of real models' }),
  })
  .meta({ id: 'ModelList' });

type ModelListView = z.infer<typeof modelListSchema>;

/** What clients see of the rotation. */
export const toModelListView = (
  models: readonly ModelListView['items'][number][],
  simulated: boolean,
): ModelListView => ({
  items: models.map(({ id, weight, requests, failures, next }) => ({ id, weight, requests, failures, next })),
  nextCursor: null,
  simulated,
});
