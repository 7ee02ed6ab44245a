import { describe, expect, inject, it } from 'vitest';
import { query } from '../support/database.ts';
import { readText } from './repository.ts';

describe('the guide to backup and restore', () => {
  it('makes every group role that a dump refers to', async () => {
    const rows = await query(
      inject('databaseUrl'),
      "SELECT rolname FROM pg_roles WHERE rolname LIKE 'optio\\_%' AND NOT rolcanlogin",
    );
    const made = [...readText('docs/guides/backup-and-restore.md').matchAll(/CREATE ROLE (optio_\w+)/g)];
    expect(new Set(made.map(([, name]) => name))).toEqual(new Set(rows.map(({ rolname }) => rolname)));
  });
});
