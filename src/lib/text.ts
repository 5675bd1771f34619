/** At most `max` code points of a text on one line, with an ellipsis where it was cut. Lone surrogates become U+FFFD. */
export const shorten = (text: string, max: number): string => {
  // Only the beginning is looked at: a huge text costs no more than a short one.
  const line = text
    .slice(0, max * 8)
    .toWellFormed()
    .replace(/\s+/gu, ' ')
    .trim();
  const points = [...line];
  return points.length <= max
    ? line
    : `${points
        .slice(0, max - 1)
        .join('')
        .trimEnd()}…`;
};

const PREVIEW_CHARS = 120;

/** How a message begins, for lists of chats. */
export const preview = (content: string): string => shorten(content, PREVIEW_CHARS);
