/** A stateless answer that has ended leaves its place at once, while what it reserved waits for its books. */
export const endedAnswers = `
ALTER TABLE quota_reservations ADD COLUMN has_ended INTEGER NOT NULL DEFAULT 0;
`;
