import { describe, expect, it } from 'vitest';
import { createGate } from '../../src/lib/gate.ts';

/** Work that goes on until it is ended. */
function work() {
  let end = (): void => undefined;
  let fail = (_error: Error): void => undefined;
  const state = { isRunning: false };
  const run = () =>
    new Promise<void>((resolve, reject) => {
      state.isRunning = true;
      end = resolve;
      fail = reject;
    });
  return { state, run, end: () => end(), fail: (error: Error) => fail(error) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a gate', () => {
  it('lets so much in at once, the others in their order, and refuses what is too much', async () => {
    const gate = createGate({ maxRunning: 2, maxWaiting: 1 });
    const [first, second, third, fourth] = [work(), work(), work(), work()];
    const running = [gate(first.run), gate(second.run), gate(third.run)];
    await expect(gate(fourth.run)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 2 });
    await settled();
    expect([first, second, third].map(({ state }) => state.isRunning)).toEqual([true, true, false]);
    second.end();
    await settled();
    expect(third.state.isRunning).toBe(true);
    first.end();
    third.end();
    await Promise.all(running);
  });

  it('gives the place of what failed to the next', async () => {
    const gate = createGate({ maxRunning: 1, maxWaiting: 1 });
    const [first, second] = [work(), work()];
    const [failing, waiting] = [gate(first.run), gate(second.run)];
    await settled();
    first.fail(new Error('broken'));
    await expect(failing).rejects.toThrow('broken');
    await settled();
    expect(second.state.isRunning).toBe(true);
    second.end();
    await waiting;
    const third = work();
    const last = gate(third.run);
    await settled();
    third.end();
    await last;
  });
});
