/** Questions that are asked one by one and answered together. */

export type GatherOptions = {
  /** How many answers are under way at most; what is asked meanwhile waits, and is then answered together. */
  readonly concurrency: number;
  /** How many questions one answer is for, at most. */
  readonly maxKeys: number;
  /** How long a question waits for those under way, in milliseconds: then it is answered beside them, which may hang. */
  readonly patienceMs: number;
};

/** `askedAt`: on the clock of `performance.now()`. */
type Question<K, V> = PromiseWithResolvers<V> & { readonly key: K; readonly askedAt: number };

/**
 * A question is answered at once while little is asked; the more there is, the more of it goes together. `answer` begins
 * after each of its questions was asked, and answers them in their order; what it throws, all of them throw.
 */
export function gather<K, V>(
  answer: (keys: readonly K[]) => Promise<readonly V[]>,
  { concurrency, maxKeys, patienceMs }: GatherOptions,
): (key: K) => Promise<V> {
  const waiting: Question<K, V>[] = [];
  let underWay = 0;
  let timer: NodeJS.Timeout | undefined;

  const answerSome = async (): Promise<void> => {
    const asked = waiting.splice(0, maxKeys);
    underWay += 1;
    try {
      const values = await answer(asked.map(({ key }) => key));
      if (values.length !== asked.length) throw new Error('Not every question was answered.');
      for (const [index, value] of values.entries()) asked[index]?.resolve(value);
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
    underWay -= 1;
    begin();
  };
  const begin = (): void => {
    if (waiting.length > 0 && underWay < concurrency) void answerSome();
  };
  const watch = (): void => {
    const [oldest] = waiting;
    if (oldest === undefined || timer !== undefined) return;
    timer = setTimeout(beginBeside, oldest.askedAt + patienceMs - performance.now()).unref();
  };
  const beginBeside = (): void => {
    timer = undefined;
    while (waiting[0] !== undefined && performance.now() - waiting[0].askedAt >= patienceMs)
      void answerSome();
    watch();
  };

  return (key) => {
    const question = { key, askedAt: performance.now(), ...Promise.withResolvers<V>() };
    waiting.push(question);
    begin();
    watch();
    return question.promise;
  };
}
