import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { array, assert, constantFrom, nat, oneof, property } from 'fast-check';
import { expect, test } from 'vitest';
import { createQueue, type Queue } from '../../src/lib/queue.ts';

/** The simplest thing that does the same. */
function createModel(): Queue<number> {
  const values = new Set<number>();
  const first = (): number | undefined => [...values][0];
  return {
    push: (value) => {
      values.add(value);
      return () => void values.delete(value);
    },
    first,
    shift: () => {
      const value = first();
      if (value !== undefined) values.delete(value);
      return value;
    },
    size: () => values.size,
  };
}

/** Everything that shows from outside. A number takes out what was put in as the so-manieth, also after it has left. */
function play(queue: Queue<number>, steps: readonly ('push' | 'shift' | number)[]): readonly unknown[] {
  const removals: (() => void)[] = [];
  return steps.map((step) => {
    if (step === 'push') removals.push(queue.push(removals.length));
    else if (typeof step === 'number') removals[step]?.();
    return [step === 'shift' ? queue.shift() : undefined, queue.first(), queue.size()];
  });
}

test('a queue does what a Set of the same values does, whatever comes and leaves', () => {
  const step = oneof(constantFrom('push' as const, 'shift' as const), nat({ max: 30 }));
  assert(
    property(array(step, { maxLength: 100 }), (steps) => {
      expect(play(createQueue(), steps)).toEqual(play(createModel(), steps));
    }),
  );
});

test('a queue holds nothing that has left, also for the garbage collector that looks at the young alone', () => {
  const program = fileURLToPath(new URL('queue-memory.ts', import.meta.url));
  // In a process of its own, where nothing else makes V8 collect everything.
  const { stdout } = spawnSync(process.execPath, ['--expose-gc', program], { encoding: 'utf8' });
  // 24 MB pass through it; a Set in its place keeps up to 16 of them.
  expect(Number.parseInt(stdout, 10)).toBeLessThan(2_000_000);
});
