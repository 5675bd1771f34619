import { Schema, type Query, type SchemaDefinition } from 'mongoose';

/**
 * A schema for rows whose `_id` is our own string. Rows are written whole and read `.lean()`: no version key, no virtual
 * `id`, no timestamps by mongoose, and empty objects are kept.
 */
export const rowSchema = <Row>(fields: SchemaDefinition<Row>): Schema<Row> =>
  new Schema<Row>({ _id: String, ...fields } as SchemaDefinition<Row>, {
    versionKey: false,
    id: false,
    minimize: false,
  });

const raisesRev = (increments: unknown): boolean =>
  typeof increments === 'object' && increments !== null && 'rev' in increments;

/**
 * Marks a row as `unlisted` in every update that raises its `rev`, so that no store can forget to tell devices of a change
 * (changeSets.ts). Rows are inserted with the mark.
 */
export const markChanges = <Row>(schema: Schema<Row>): void => {
  schema.index({ ownerId: 1, unlisted: 1 });
  schema.pre(['updateOne', 'updateMany', 'findOneAndUpdate'], function (this: Query<unknown, Row>) {
    const update = this.getUpdate();
    if (update && '$inc' in update && raisesRev(update.$inc)) this.set('unlisted', true);
  });
};

/** A part of a row, without an `_id` of its own. */
export const partSchema = (fields: SchemaDefinition): Schema => new Schema(fields, { _id: false, id: false });

/** A text that may be null: mongoose's own default would leave the field out. */
export const nullableText = { type: String, default: null };
export const nullableDate = { type: Date, default: null };
