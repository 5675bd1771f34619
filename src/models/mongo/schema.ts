import { Schema, type SchemaDefinition } from 'mongoose';

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

/** A part of a row, without an `_id` of its own. */
export const partSchema = (fields: SchemaDefinition): Schema => new Schema(fields, { _id: false, id: false });

/** A text that may be null: mongoose's own default would leave the field out. */
export const nullableText = { type: String, default: null };
export const nullableDate = { type: Date, default: null };
