/**
 * Every text under which a secret could stand in a log, an error or a metric: as it is, as JSON, a URL, a form or hex holds it,
 * and in the three ways in which base64 of a longer text can hold it.
 */
export const formsOf = (secret: string): string[] => {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replaceAll('=', '');
    // The first and the last character hold bits of the neighbours too.
    const own = text.slice(before === 0 ? 0 : before + 1, (before + bytes.length) % 3 === 0 ? undefined : -1);
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const percent = encodeURIComponent(secret);
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    // As text in JSON in JSON, such as a body in a logged string.
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
    percent,
    new URLSearchParams({ '': secret }).toString().slice(1),
    bytes.toString('hex'),
    ...base64,
  ];
  return [...new Set(forms)];
};
