/** A store whose calls return their result instead of a promise: what one connection does in one thread. */
export type Sync<Store> = {
  [Name in keyof Store]: Store[Name] extends (...args: infer Args) => Promise<infer Result>
    ? (...args: Args) => Result
    : never;
};
