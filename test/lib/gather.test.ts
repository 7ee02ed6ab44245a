import { describe, expect, it } from 'vitest';
import { gather } from '../../src/lib/gather.ts';

/** Answers when it is told to: each call waits for its turn. */
function answering() {
  const calls: { readonly keys: readonly number[]; readonly finish: (error?: Error) => void }[] = [];
  const answer = (keys: readonly number[]): Promise<readonly string[]> => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const finish = (error?: Error) =>
      error === undefined ? resolve(keys.map((key) => `answer ${key}`)) : reject(error);
    calls.push({ keys, finish });
    return promise;
  };
  return { calls, answer };
}

describe('questions that are gathered', () => {
  it('are answered at once while few are under way, and then together', async () => {
    const { calls, answer } = answering();
    const ask = gather(answer, { concurrency: 2, maxKeys: 3, patienceMs: 60_000 });
    const answers = [1, 2, 3, 4, 5, 6].map((key) => ask(key));
    expect(calls.map(({ keys }) => keys)).toEqual([[1], [2]]);
    calls[1]?.finish();
    expect(await answers[1]).toBe('answer 2');
    expect(calls.map(({ keys }) => keys)).toEqual([[1], [2], [3, 4, 5]]);
    calls[0]?.finish();
    expect(await answers[0]).toBe('answer 1');
    calls[3]?.finish();
    calls[2]?.finish();
    expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5, 6].map((key) => `answer ${key}`));
    expect(calls).toHaveLength(4);
  });

  it('fail together, and those after them do not', async () => {
    const { calls, answer } = answering();
    const ask = gather(answer, { concurrency: 1, maxKeys: 10, patienceMs: 60_000 });
    const [first, second, third] = [ask(1), ask(2), ask(3)];
    calls[0]?.finish();
    await first;
    calls[1]?.finish(new Error('away'));
    expect(await Promise.allSettled([second, third])).toMatchObject([
      { reason: { message: 'away' } },
      { reason: { message: 'away' } },
    ]);
    const fourth = ask(4);
    calls[2]?.finish();
    expect(await fourth).toBe('answer 4');
  });

  it('wait for those that hang once, and are then answered as if there were none', async () => {
    const { calls, answer } = answering();
    const ask = gather(answer, { concurrency: 1, maxKeys: 2, patienceMs: 10 });
    const [hanging, ...others] = [1, 2, 3, 4].map((key) => ask(key));
    await expect.poll(() => calls.length).toBe(3);
    for (const call of calls.slice(1)) call.finish();
    expect(await Promise.all(others)).toEqual([2, 3, 4].map((key) => `answer ${key}`));
    expect(calls.map(({ keys }) => keys)).toEqual([[1], [2, 3], [4]]);
    const next = ask(5);
    expect(calls).toHaveLength(4);
    calls[3]?.finish();
    expect(await next).toBe('answer 5');
    calls[0]?.finish(new Error('away'));
    await expect(hanging).rejects.toThrow('away');
  });
});
