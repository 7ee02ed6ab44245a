/** What the operator does on the command line, as operators run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPeople, type People } from '../accounts/people.ts';

const OPERATOR = fileURLToPath(new URL('../../src/operator.ts', import.meta.url));

let people: People;
beforeAll(async () => {
  people = await openPeople();
});
afterAll(() => people.close());

async function operate(...parts: readonly string[]) {
  const child = spawn(process.execPath, [OPERATOR, ...parts], {
    env: { PATH: process.env['PATH'], DATABASE_URL: people.database.ownerUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, error, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, out, error };
}

describe('operator reset-second-factor', () => {
  it('takes the second factor of the only platform admin away, and records it as the operator’s', async () => {
    const ada = await people.addUser({ isPlatformAdmin: true });
    await people.sql(
      `INSERT INTO second_factors (user_id, sealed_secret, last_used_step, created_at) VALUES ($1, '\\x00', 1, now())`,
      [ada.id],
    );
    const first = await operate('reset-second-factor', ada.email.toUpperCase());
    expect(first).toMatchObject({ code: 0, out: expect.stringContaining('is gone'), error: '' });
    expect(await people.sql('SELECT FROM second_factors')).toEqual([]);
    const entries = await people.sql(
      `SELECT actor_kind::text, target_id FROM audit_entries WHERE action = 'second_factor.reset'`,
    );
    expect(entries).toEqual([{ actor_kind: 'OPERATOR', target_id: ada.id }]);
    const again = await operate('reset-second-factor', ada.email);
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining('nothing was changed') });
  });

  it('says what it knows, and who is nobody', async () => {
    expect(await operate('reset')).toMatchObject({ code: 1, error: expect.stringMatching(/^Usage: /) });
    expect(await operate('reset-second-factor', 'nobody@school.example')).toMatchObject({
      code: 1,
      error: 'There is no account "nobody@school.example".\n',
    });
  });
});
