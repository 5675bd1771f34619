/**
 * What users think of replies; and whether a model was ever asked for a reply, so that one which was interrupted before
 * can be generated after all. Of the replies that are there nobody knows, so they count as asked.
 */
export const feedback = `
ALTER TABLE messages ADD COLUMN feedback TEXT;
ALTER TABLE messages ADD COLUMN is_asked INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET is_asked = 1 WHERE role = 'assistant' AND status <> 'queued';
`;
