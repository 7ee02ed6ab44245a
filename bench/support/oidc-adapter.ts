/** Storage of oidc-provider in PostgreSQL: each operation one statement by primary key, named so that it is planned once. */
import type { Pool } from 'pg';

type Payload = Readonly<Record<string, unknown>> & { readonly grantId?: string };

/** The adapter of each of its models. */
export function createAdapter(pool: Pool) {
  return (model: string) => ({
    upsert: async (id: string, payload: Payload, expiresIn?: number): Promise<void> => {
      await pool.query({
        name: 'upsert',
        text: `INSERT INTO payloads (model, id, payload, grant_id, expires_at)
               VALUES ($1, $2, $3, $4, now() + $5 * interval '1 second')
               ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`,
        values: [model, id, payload, payload.grantId ?? null, expiresIn ?? null],
      });
    },
    find: async (id: string): Promise<Payload | undefined> => {
      const { rows } = await pool.query<{ payload: Payload; consumed: number | null }>({
        name: 'find',
        text: `SELECT payload, extract(epoch FROM consumed_at)::int AS consumed FROM payloads
               WHERE model = $1 AND id = $2 AND (expires_at IS NULL OR expires_at > now())`,
        values: [model, id],
      });
      const [row] = rows;
      return row === undefined || row.consumed === null
        ? row?.payload
        : { ...row.payload, consumed: row.consumed };
    },
    consume: async (id: string): Promise<void> => {
      await pool.query({
        name: 'consume',
        text: 'UPDATE payloads SET consumed_at = now() WHERE model = $1 AND id = $2',
        values: [model, id],
      });
    },
    destroy: async (id: string): Promise<void> => {
      await pool.query({
        name: 'destroy',
        text: 'DELETE FROM payloads WHERE model = $1 AND id = $2',
        values: [model, id],
      });
    },
    revokeByGrantId: async (grantId: string): Promise<void> => {
      await pool.query({
        name: 'revoke',
        text: 'DELETE FROM payloads WHERE grant_id = $1',
        values: [grantId],
      });
    },
    // Of models that are not used here.
    findByUid: async (): Promise<undefined> => undefined,
    findByUserCode: async (): Promise<undefined> => undefined,
  });
}
