import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/lib/errors.ts';
import { isDatabaseUnavailable, translateDatabaseError } from '../../../src/platform/database/unavailable.ts';

describe('isDatabaseUnavailable', () => {
  it.each([
    ['a refused connection', { code: 'ECONNREFUSED' }],
    ['a connection that was cut', { code: 'ECONNRESET' }],
    ['a connection failure (class 08)', { code: '08006' }],
    ['a database that shuts down', { code: '57P01' }],
    ['a database that starts', { code: '57P03' }],
    ['too many connections', { code: '53300' }],
    ['what Prisma calls unreachable', { code: 'P1001' }],
    ['no transaction in time', { code: 'P2028' }],
    ['what the adapter calls unreachable', { kind: 'DatabaseNotReachable' }],
    ['the adapter’s original code', { originalCode: '57P01' }],
    [
      'what Prisma keeps of the driver’s error',
      { code: 'P2039', meta: { driverAdapterError: { cause: { originalCode: '57P01', kind: 'postgres' } } } },
    ],
    ['a message of pg', new Error('Connection terminated unexpectedly')],
    [
      'a pool that was closed because the server stops',
      new Error('Cannot use a pool after calling end on the pool'),
    ],
    ['a pool without a free connection', new Error('timeout exceeded when trying to connect')],
    [
      'any of them as the cause of another',
      new Error('failed', { cause: new Error('failed', { cause: { code: 'EPIPE' } }) }),
    ],
  ])('is true for %s', (_, error) => {
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it.each([
    ['a constraint', { code: '23505' }],
    ['a privilege', { code: '42501' }],
    ['a deadlock', { code: '40P01' }],
    ['a statement that was cancelled', { code: '57014' }],
    ['a database that does not exist any more', { code: '57P04' }],
    ['Prisma’s unique constraint', { code: 'P2002' }],
    [
      'a constraint, as Prisma keeps it',
      { code: 'P2039', meta: { driverAdapterError: { cause: { originalCode: '23514', kind: 'postgres' } } } },
    ],
    ['a number for a code', { code: 8_006 }],
    ['another error', new Error('failed')],
    ['nothing', undefined],
    ['a text', 'ECONNREFUSED'],
  ])('is false for %s', (_, error) => {
    expect(isDatabaseUnavailable(error)).toBe(false);
  });

  it('ends with causes that go round in a circle', () => {
    const error = new Error('round');
    error.cause = error;
    expect(isDatabaseUnavailable(error)).toBe(false);
  });
});

describe('translateDatabaseError', () => {
  it('makes UNAVAILABLE of it, with the cause, and says nothing about the database', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' });
    const error = translateDatabaseError(cause);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', cause, retryAfterSeconds: 1 });
    expect(String(error)).not.toContain('10.0.0.7');
  });

  it('leaves what is no such error, or was told already, as it is', () => {
    for (const error of [
      new Error('other'),
      new AppError('CONFLICT', 'No.', { cause: { code: 'ECONNRESET' } }),
      'text',
    ]) {
      expect(translateDatabaseError(error)).toBe(error);
    }
  });
});
