import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, isAfter } from '../../src/webhooks/update-cursor.ts';

const EPOCH = '019ab0c4-7d1e-4c5a-9f00-2b8f6f0d6a11';

function base64(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function at(transaction: bigint, sequence: bigint) {
  return { transaction, sequence };
}

describe('a cursor of the update log (webhooks rule 36)', () => {
  it('holds epoch, transaction and line, exactly, up to the largest that a database has', () => {
    for (const place of [
      { transaction: 0n, sequence: 0n },
      { transaction: 742n, sequence: 9_007_199_254_740_993n },
      { transaction: 2n ** 63n - 1n, sequence: 2n ** 63n - 1n },
    ]) {
      expect(decodeCursor(encodeCursor(EPOCH, place))).toEqual({ epoch: EPOCH, ...place });
    }
  });

  it.each([
    ['nothing', ''],
    ['a word', 'nonsense'],
    ['another version', base64(`2.${EPOCH}.1.1`)],
    ['no epoch', base64('1.abc.1.1')],
    ['a negative number', base64(`1.${EPOCH}.-1.1`)],
    ['too few parts', base64(`1.${EPOCH}.1`)],
    ['too many parts', base64(`1.${EPOCH}.1.1.1`)],
    ['a number that no database has', base64(`1.${EPOCH}.1.9999999999999999999`)],
    ['a longer number', base64(`1.${EPOCH}.99999999999999999999999.1`)],
    ['SQL', base64(`1.${EPOCH}.1.1; DROP TABLE deliveries`)],
  ])('is not %s (VALIDATION of `after`)', (_, after) => {
    expect(() => decodeCursor(after)).toThrow(
      expect.objectContaining({ code: 'VALIDATION', faults: [expect.objectContaining({ path: ['after'] })] }),
    );
  });

  it('is ordered by transaction, then by line, as numbers', () => {
    expect(isAfter(at(10n, 1n), at(9n, 5n))).toBe(true);
    expect(isAfter(at(9n, 10n), at(9n, 9n))).toBe(true);
    expect(isAfter(at(9n, 9n), at(9n, 9n))).toBe(false);
    expect(isAfter(at(8n, 10n), at(9n, 9n))).toBe(false);
  });
});
