/** Connections that end in the very moment in which they are made, as when an administrator terminates all of them. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../../src/lib/ids.ts';
import { createPool } from '../../../src/platform/database/pool.ts';
import { createTenancy } from '../../../src/platform/database/tenancy.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const READY_FOR_QUERY = Buffer.from('Z\0\0\0\x05I', 'latin1');
// An ErrorResponse of PostgreSQL: severity, code, message.
const FIELDS = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0');
const LENGTH = Buffer.alloc(4);
LENGTH.writeInt32BE(FIELDS.length + 4);
const TERMINATED = Buffer.concat([Buffer.from('E'), LENGTH, FIELDS]);

let database: TestDatabase;
const proxy = createServer((incoming) => {
  const { port, hostname } = new URL(database.ownerUrl);
  const outgoing = connect(Number(port), hostname);
  for (const socket of [incoming, outgoing]) socket.on('error', () => undefined);
  incoming.pipe(outgoing);
  outgoing.on('data', (bytes) => {
    const isMade = bytes.subarray(-READY_FOR_QUERY.length).equals(READY_FOR_QUERY);
    // In one packet with the end of the handshake, so that nothing runs in between.
    if (isMade) incoming.end(Buffer.concat([bytes, TERMINATED]));
    else incoming.write(bytes);
  });
  incoming.on('close', () => outgoing.destroy());
});

beforeAll(async () => {
  database = await createTestDatabase();
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  await new Promise((resolve) => proxy.close(resolve));
  await database.drop();
});

function byWayOfProxy(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`; // It listens on a port.
  return url.href;
}

it('fails a tenant transaction as UNAVAILABLE, and ends nothing else: not the process', async () => {
  const url = byWayOfProxy(database.urls.tenantUrl);
  const tenancy = createTenancy({ url, maxConnections: 2, onIdleError: () => undefined });
  const identity = { organizationId: newId(), userId: null, role: 'CLIENT' } as const;
  const read = tenancy.read(identity, (tx) => tx.$queryRaw`SELECT 1`);
  await expect(read).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await tenancy.close();
});

it('fails a query of a plain pool, and ends nothing else', async () => {
  const url = byWayOfProxy(database.urls.workerUrl);
  const pool = createPool({ url, maxConnections: 2, onIdleError: () => undefined });
  await expect(pool.query('SELECT 1')).rejects.toThrow(/terminat/i);
  await pool.end();
});
