/** Questions that are asked one by one and answered together. */

export type GatherOptions = {
  /** How many answers are waited for at most; what is asked meanwhile waits, and is then answered together. */
  readonly concurrency: number;
  /** How many questions one answer is for, at most. */
  readonly maxKeys: number;
  /** How long an answer is waited for, in milliseconds: it may hang, and all that waits by then is answered beside it. */
  readonly patienceMs: number;
};

type Question<K, V> = PromiseWithResolvers<V> & { readonly key: K };

/**
 * A question is answered at once while little is asked; the more there is, the more of it goes together. `answer` begins
 * after each of its questions was asked, and answers them in their order; what it throws, all of them throw.
 */
export function gather<K, V>(
  answer: (keys: readonly K[]) => Promise<readonly V[]>,
  { concurrency, maxKeys, patienceMs }: GatherOptions,
): (key: K) => Promise<V> {
  const waiting: Question<K, V>[] = [];
  const waitedFor = new Set<object>();

  const answerSome = async (): Promise<void> => {
    const asked = waiting.splice(0, maxKeys);
    waitedFor.add(asked);
    const patience = setTimeout(() => {
      waitedFor.delete(asked);
      while (waiting.length > 0) void answerSome();
    }, patienceMs);
    try {
      const values = await answer(asked.map(({ key }) => key));
      if (values.length !== asked.length) throw new Error('Not every question was answered.');
      for (const [index, value] of values.entries()) asked[index]?.resolve(value);
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
    clearTimeout(patience);
    waitedFor.delete(asked);
    begin();
  };
  const begin = (): void => {
    if (waiting.length > 0 && waitedFor.size < concurrency) void answerSome();
  };

  return (key) => {
    const question = { key, ...Promise.withResolvers<V>() };
    waiting.push(question);
    begin();
    return question.promise;
  };
}
