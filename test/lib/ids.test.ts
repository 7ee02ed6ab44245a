import { describe, expect, it } from 'vitest';
import { createIdGenerator, isUuid, lowestUuidAt, newId, uuidTime } from '../../src/lib/ids.ts';

const T0 = Date.parse('2026-11-23T09:30:00.123Z');

function make(count: number, generate: () => string): readonly string[] {
  return Array.from({ length: count }, generate);
}

/** Whether each id is above the one before it. */
function isRising(ids: readonly string[]): boolean {
  return ids.every((id, index) => index === 0 || id > (ids[index - 1] ?? ''));
}

describe('a UUIDv7 (RFC 9562 5.7)', () => {
  it('has version 7, variant 10 and its time in the first 48 bits', () => {
    for (const id of make(
      1_000,
      createIdGenerator(() => T0),
    )) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(isUuid(id)).toBe(true);
    }
    expect(uuidTime(createIdGenerator(() => T0)())).toBe(T0);
  });

  it('of now lies between before and after', () => {
    const before = Date.now();
    const time = uuidTime(newId());
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
  });

  it('differs in its random bits from one generator to another', () => {
    const tails = make(1_000, () => createIdGenerator(() => T0)()).map((id) => id.slice(19));
    expect(new Set(tails).size).toBe(1_000);
  });

  it('uses all random bits: each is sometimes 0 and sometimes 1', () => {
    const tails = make(200, () => createIdGenerator(() => T0)()).map((id) =>
      BigInt(`0x${id.slice(19).replaceAll('-', '')}`),
    );
    const ones = tails.reduce((all, tail) => all | tail, 0n);
    const always = tails.reduce((all, tail) => all & tail, 2n ** 64n - 1n);
    expect(ones.toString(2)).toBe(`10${'1'.repeat(62)}`);
    expect(always).toBe(2n ** 63n);
  });
});

describe('the ids of one generator (RFC 9562 6.2)', () => {
  it('rise within a millisecond, more of them than its counter holds', () => {
    expect(
      isRising(
        make(
          10_000,
          createIdGenerator(() => T0),
        ),
      ),
    ).toBe(true);
  });

  it('rise with the clock', () => {
    let now = T0;
    expect(
      isRising(
        make(
          1_000,
          createIdGenerator(() => now++),
        ),
      ),
    ).toBe(true);
  });

  it('never go backwards when the clock does, and follow it again when it has caught up', () => {
    const times = [T0, T0 + 5, T0 - 3_600_000, T0, T0 + 4, T0 + 5, T0 + 6];
    const generate = createIdGenerator(() => times.shift() ?? 0);
    const ids = make(7, generate);
    expect(isRising(ids)).toBe(true);
    expect(uuidTime(ids[2] ?? '')).toBe(T0 + 5);
    expect(uuidTime(ids[6] ?? '')).toBe(T0 + 6);
  });
});

describe('lowestUuidAt', () => {
  it('lies below every id of its millisecond and above every one before', () => {
    const bound = lowestUuidAt(new Date(T0));
    expect(isUuid(bound)).toBe(true);
    for (const id of make(1_000, () => createIdGenerator(() => T0)())) expect(id >= bound).toBe(true);
    for (const id of make(1_000, () => createIdGenerator(() => T0 - 1)())) expect(id < bound).toBe(true);
  });

  it('takes times from before 1970 for the beginning', () => {
    expect(lowestUuidAt(new Date(-1))).toBe('00000000-0000-7000-8000-000000000000');
  });
});

describe('isUuid', () => {
  it.each([
    '019ab0c4-7d1e-7c5a-9f00-2b8f6f0d6a11',
    '019AB0C4-7D1E-4C5A-9F00-2B8F6F0D6A11',
    '00000000-0000-0000-0000-000000000000',
  ])('takes %s', (text) => expect(isUuid(text)).toBe(true));

  it.each([
    '',
    '019ab0c47d1e7c5a9f002b8f6f0d6a11',
    '{019ab0c4-7d1e-7c5a-9f00-2b8f6f0d6a11}',
    '019ab0c4-7d1e-7c5a-9f00-2b8f6f0d6a1g',
    '019ab0c4-7d1e-7c5a-9f00-2b8f6f0d6a11\n',
    "019ab0c4-7d1e-7c5a-9f00-2b8f6f0d6a1';",
  ])('refuses %j', (text) => expect(isUuid(text)).toBe(false));
});
