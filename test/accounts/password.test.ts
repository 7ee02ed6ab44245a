import { describe, expect, test } from 'vitest';
import { requireGoodPassword } from '../../src/accounts/password.ts';
import { AppError } from '../../src/lib/errors.ts';

const EMAIL = 'ada@school.example';

/** The whole refusal, so that a test sees a wrong code or path too; undefined when the password passes. */
function refusalOf(password: string): unknown {
  try {
    requireGoodPassword(password, EMAIL);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return { code: error.code, faults: error.faults };
    throw error;
  }
}

function refused(message: string) {
  return { code: 'VALIDATION', faults: [{ path: ['password'], message }] };
}

describe('the password policy', () => {
  test.each(['123456789012', 'correct horse battery', ' spaces count  ', 'é'.repeat(12), '🦉'.repeat(12)])(
    'takes %j',
    (password) => {
      expect(refusalOf(password)).toBeUndefined();
    },
  );

  test.each(['12345678901', '🦉'.repeat(11)])(
    'wants at least 12 characters as people count them: %j',
    (password) => {
      expect(refusalOf(password)).toEqual(refused('A password needs at least 12 characters.'));
    },
  );

  test('takes 1,024 bytes and no more', () => {
    expect(refusalOf('x'.repeat(1_024))).toBeUndefined();
    expect(refusalOf('x'.repeat(1_025))).toEqual(refused('A password may have at most 1024 bytes.'));
    expect(refusalOf('é'.repeat(513))).toEqual(refused('A password may have at most 1024 bytes.'));
  });

  test.each([EMAIL, 'ADA@School.example', ` ${EMAIL} `])('refuses the email address: %j', (password) => {
    expect(refusalOf(password)).toEqual(refused('A password must not be the email address.'));
  });
});
