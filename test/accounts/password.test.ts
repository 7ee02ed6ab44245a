import { describe, expect, test } from 'vitest';
import { requireGoodPassword } from '../../src/accounts/password.ts';
import { AppError } from '../../src/lib/errors.ts';

const EMAIL = 'ada@school.example';

/** The whole refusal, so that a test sees a wrong code or path too; undefined when the password passes. */
function refusalOf(password: string): unknown {
  try {
    requireGoodPassword(password, { email: EMAIL, name: 'Ada Lovelace' });
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return { code: error.code, faults: error.faults };
    throw error;
  }
}

function refused(message: unknown) {
  return { code: 'VALIDATION', faults: [{ path: ['password'], message }] };
}

describe('the password policy', () => {
  test.each([
    '582034671190',
    'correct horse battery',
    ' spaces count  ',
    'éàèùêîôûäëïö',
    '🦉🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔',
    'my dog eats passwords',
    'lovelace walks alone',
    'summer in the school garden',
  ])('takes %j', (password) => {
    expect(refusalOf(password)).toBeUndefined();
  });

  test.each(['12345678901', '🦉'.repeat(11)])(
    'wants at least 12 characters as people count them: %j',
    (password) => {
      expect(refusalOf(password)).toEqual(refused('A password needs at least 12 characters.'));
    },
  );

  test('takes 1,024 bytes and no more', () => {
    expect(refusalOf('x y z!'.repeat(170) + 'abcd')).toBeUndefined();
    expect(refusalOf('x'.repeat(1_025))).toEqual(refused('A password may have at most 1024 bytes.'));
    expect(refusalOf('é'.repeat(513))).toEqual(refused('A password may have at most 1024 bytes.'));
  });

  test.each([EMAIL, 'ADA@School.example', ` ${EMAIL} `])('refuses the email address: %j', (password) => {
    expect(refusalOf(password)).toEqual(refused('A password must not be the email address.'));
  });

  test.each([
    'password1234',
    'Password2026!',
    'P@ssw0rd!!!!',
    '!!!letmein!!!',
    'Summer2026!!!',
    'qwertyuiop[]12',
    'optio-connect-1',
    'correcthorsebatterystaple',
    '123456789012',
    '210987654321',
    'abcdefghijklm',
    '1qaz2wsx3edc',
    'qwertyuiopasd',
    'aaaaaaaaaaaa',
    '🦉'.repeat(12),
    'hello.hello.hello.',
    'abc123abc123abc',
  ])('refuses what is guessed first: %j', (password) => {
    expect(refusalOf(password)).toEqual(refused(expect.stringContaining('among the first that are guessed')));
  });

  test.each(['Lovelace2026', 'adalovelace!!', 'ada..........', '12345.LOVELACE', 'ada@school.example1'])(
    'refuses what says whose it is: %j',
    (password) => {
      expect(refusalOf(password)).toEqual(
        refused('A password must not be made of the name or the email address.'),
      );
    },
  );
});
