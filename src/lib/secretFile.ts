import { randomBytes } from 'node:crypto';
import { constants, copyFile, link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const hasCode = (error: unknown, code: string): boolean =>
  error !== null && typeof error === 'object' && 'code' in error && error.code === code;

/** Gives a complete file its name, if nobody else has that name: a link is there whole or not at all. */
const publish = async (from: string, to: string): Promise<void> => {
  try {
    await link(from, to);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    // Some file systems have no links (exFAT); copying is exclusive too, if not in one step.
    await copyFile(from, to, constants.COPYFILE_EXCL).catch((second: unknown) => {
      if (!hasCode(second, 'EEXIST')) throw second;
    });
  }
};

const createFile = async (file: string, content: string): Promise<void> => {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${content}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await publish(draft, file);
  } finally {
    await unlink(draft);
  }
};

/**
 * The text in a file that only its owner may read (0600); made by `create` if the file is not there.
 * Of processes that start together all get the same text.
 * @throws Error when the file is empty, or cannot be read or made
 */
export const readOrCreateSecret = async (file: string, create: () => string): Promise<string> => {
  const read = async (): Promise<string> => (await readFile(file, 'utf8')).trim();
  const secret = await read().catch(async (error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
    await createFile(file, create());
    return read();
  });
  if (secret === '') throw new Error(`${file} is empty: delete it, and a new one is made`);
  return secret;
};
