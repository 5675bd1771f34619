import { readFileSync } from 'node:fs';
import type { ValueOfVariable, Variable } from './values.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Where variables are read from, and where what is wrong with them goes. */
export interface Source {
  readonly env: Env;
  readonly problems: string[];
}

/** A secret from the file that `NAME_FILE` names. */
const readSecretFile = (name: string, file: string, problems: string[]): string | undefined => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    problems.push(`${name}_FILE names a file that cannot be read`);
    return undefined;
  }
};

/** A variable's text as it was set; empty counts as unset. */
const rawValue = (name: string, { isSecret }: Variable, { env, problems }: Source): string | undefined => {
  const own = env[name];
  const file = isSecret ? env[`${name}_FILE`] : undefined;
  if (own && file) problems.push(`${name} and ${name}_FILE are both set: keep one`);
  return own || (file && readSecretFile(name, file, problems)) || undefined;
};

const parse = (name: string, variable: Variable, source: Source): unknown => {
  const { schema, fallback } = variable;
  const raw = rawValue(name, variable, source);
  const result = raw === undefined ? null : schema.safeParse(raw);
  if (result?.success) return result.data;
  if (result) source.problems.push(`${name} ${result.error.issues[0]?.message ?? 'is not valid'}`);
  return fallback === undefined ? undefined : schema.parse(fallback);
};

/** Reads one variable; what is wrong with it goes to the list of problems, and its default stands in for it. */
export const readVariable = <V extends Variable>(name: string, variable: V, source: Source): ValueOfVariable<V> =>
  // eslint-disable-next-line @typescript-eslint/consistent-type-assertions -- the type of a schema's output does not follow its name
  parse(name, variable, source) as ValueOfVariable<V>;
