/** The catalogue in the database, where optio.emit_event checks what SQL emits against it (webhooks rule 6). */
import type { Pool } from 'pg';
import { EVENT_TYPES } from './event-type.ts';

// A process of an older release that starts again does not take back what a newer one knows.
const STORE = `
  INSERT INTO optio.event_types AS t (name, version, data_schema)
  SELECT * FROM unnest($1::text[], $2::int[], $3::jsonb[])
  ON CONFLICT (name) DO UPDATE SET version = excluded.version, data_schema = excluded.data_schema
  WHERE excluded.version > t.version OR excluded.version = t.version AND excluded.data_schema <> t.data_schema`;

/** Writes the event types as this program knows them. `owner` logs in as the owner of the tables. */
export async function storeCatalog(owner: Pool): Promise<void> {
  await owner.query(STORE, [
    EVENT_TYPES.map(({ name }) => name),
    EVENT_TYPES.map(({ version }) => version),
    EVENT_TYPES.map(({ jsonSchema }) => JSON.stringify(jsonSchema)),
  ]);
}
