import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { gatherLines } from '../../src/platform/log-output.ts';

function gather() {
  const writes: string[] = [];
  return { writes, output: gatherLines({ write: (lines) => void writes.push(lines) }) };
}

describe('The output of the log', () => {
  it('gets the lines of a turn of the event loop in one piece and in order, those of the next in another', async () => {
    const { writes, output } = gather();
    output.write('a\n');
    output.write('b\n');
    expect(writes).toEqual([]);
    await nextTurn();
    output.write('c\n');
    await nextTurn();
    expect(writes).toEqual(['a\nb\n', 'c\n']);
  });

  it('gets what is gathered when it is flushed, once', async () => {
    const { writes, output } = gather();
    output.write('a\n');
    output.flush();
    output.flush();
    await nextTurn();
    expect(writes).toEqual(['a\n']);
  });

  it('does not wait for the end of a turn that writes very much', () => {
    const { writes, output } = gather();
    for (let line = 0; line < 100; line += 1) output.write(`${'x'.repeat(1_023)}\n`);
    output.flush();
    expect(writes.length).toBeGreaterThan(1);
    expect(writes.join('').length).toBe(102_400);
  });
});
