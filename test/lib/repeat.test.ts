import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { repeat } from '../../src/lib/repeat.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Work whose runs the test ends one by one. */
function startWork() {
  const ends: PromiseWithResolvers<void>[] = [];
  const errors: Error[] = [];
  let open = 0;
  let most = 0;
  const repeating = repeat(
    async () => {
      most = Math.max(most, ++open);
      const end = Promise.withResolvers<void>();
      ends.push(end);
      await end.promise.finally(() => {
        open -= 1;
      });
    },
    { intervalMs: 100, onError: (error) => void errors.push(error) },
  );
  return {
    repeating,
    errors,
    runs: () => ends.length,
    most: () => most,
    end: async (error?: unknown) => {
      if (error === undefined) ends.at(-1)?.resolve();
      else ends.at(-1)?.reject(error);
      await vi.advanceTimersByTimeAsync(0);
    },
  };
}

describe('repeat', () => {
  it('runs at once, and then from the end of each run to the start of the next', async () => {
    const work = startWork();
    expect(work.runs()).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(work.runs()).toBe(1);
    await work.end();
    await vi.advanceTimersByTimeAsync(99);
    expect(work.runs()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(work.runs()).toBe(2);
  });

  it('runs at once when it is hurried while it rests, and rests its whole time after that', async () => {
    const work = startWork();
    await work.end();
    await vi.advanceTimersByTimeAsync(50);
    work.repeating.hurry();
    expect(work.runs()).toBe(2);
    await work.end();
    await vi.advanceTimersByTimeAsync(99);
    expect(work.runs()).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(work.runs()).toBe(3);
  });

  it('runs once more, at once, when it was hurried during a run, however often; never two at a time', async () => {
    const work = startWork();
    for (let time = 0; time < 5; time += 1) work.repeating.hurry();
    expect(work.runs()).toBe(1);
    await work.end();
    expect(work.runs()).toBe(2);
    await work.end();
    expect(work.runs()).toBe(2);
    expect(work.most()).toBe(1);
  });

  it('goes on after a run that fails, and reports it', async () => {
    const work = startWork();
    await work.end(new Error('no luck'));
    await vi.advanceTimersByTimeAsync(100);
    expect(work.runs()).toBe(2);
    await work.end('a text');
    expect(work.errors.map(({ message }) => message)).toEqual(['no luck', 'a text']);
  });

  it('runs again after a failure when it was hurried meanwhile', async () => {
    const work = startWork();
    work.repeating.hurry();
    await work.end(new Error('no luck'));
    expect(work.runs()).toBe(2);
  });
});

describe('stop', () => {
  it('waits for the run under way, and begins no other, though it was hurried', async () => {
    const work = startWork();
    work.repeating.hurry();
    const stopped = vi.fn<() => void>();
    const stopping = work.repeating.stop().finally(stopped);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(stopped).not.toHaveBeenCalled();
    await work.end();
    await stopping;
    work.repeating.hurry();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(work.runs()).toBe(1);
  });

  it('is immediate while it rests', async () => {
    const work = startWork();
    await work.end();
    await work.repeating.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(work.runs()).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
