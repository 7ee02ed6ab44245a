/** Makes the demo: an organization, its people, a client, webhook subscriptions, what it teaches, and the past week. All of it or nothing. */
import type { Pool } from 'pg';
import { createOrganization } from '../accounts/organization.ts';
import type { Clock } from '../lib/clock.ts';
import { hashPassword, type MasterKeys } from '../lib/crypto.ts';
import { createIdGenerator, newId } from '../lib/ids.ts';
import { inTransaction } from '../platform/database/pool.ts';
import { createChance } from './chance.ts';
import { createClassroom } from './classroom.ts';
import { planCurriculum } from './curriculum.ts';
import { pastWeek } from './history.ts';
import { DEMO_ORGANIZATION, DEMO_PASSWORD } from './school.ts';
import { seedCurriculum, seedRecords } from './seed-learning.ts';
import { seedClient, seedPeople } from './seed-people.ts';
import { makeSubscribers, seedSubscriptions } from './seed-subscriptions.ts';
import { insertAttempts, insertDeliveries, insertEvents, insertHealth } from './statements.ts';

export type SeedOptions = {
  /** Logs in as the owner of the schema. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly keys: MasterKeys;
  /** Of the receiver, without a slash at its end. */
  readonly receiverUrl: string;
  /** The server's: seconds before retries 1, 2, … */
  readonly retrySeconds: readonly number[];
  /** Of the installation's platform admin, who becomes ADMIN of the demo, too. */
  readonly adminEmail: string;
};

const WEEK_MS = 7 * 86_400_000;
const MONTH_MS = 30 * 86_400_000;
/** Any will do; the same one makes every demo alike. */
const SEED = 20_261_125;

/** Seeds in one transaction: a start that is broken off leaves nothing, and the next one begins anew. */
export async function seedDemo(options: SeedOptions): Promise<string> {
  const { pool, clock, keys, retrySeconds } = options;
  const now = clock.now();
  // Apart: it locks tables, and what it makes may stay.
  await pool.query('SELECT optio.ensure_partitions($1)', [new Date(now.getTime() - WEEK_MS)]);
  const passwordHash = await hashPassword(DEMO_PASSWORD);
  return inTransaction(pool, async (tx) => {
    // Its id is of now, not of the past: the oldest organization is the installation's own.
    const { id: organizationId } = await createOrganization(tx, { id: newId(), ...DEMO_ORGANIZATION }, now);
    const people = await seedPeople(tx, {
      organizationId,
      passwordHash,
      adminEmail: options.adminEmail,
      now,
    });
    await seedClient(tx, organizationId, now);
    const subscribers = makeSubscribers(options.receiverUrl, now);
    const chance = createChance(SEED);
    const curriculum = planCurriculum(createIdGenerator(() => now.getTime() - MONTH_MS));
    await seedCurriculum(tx, organizationId, curriculum, now);
    const classroom = createClassroom(people.cast, curriculum);
    const { adminId } = people;
    const history = pastWeek({ classroom, adminId, organizationId, subscribers, retrySeconds, now, chance });
    await seedRecords(tx, organizationId, classroom.records);
    await seedSubscriptions(tx, { organizationId, subscribers, keys, turns: history.turns });
    await tx.query(insertEvents(organizationId, history.events));
    await tx.query(insertDeliveries(organizationId, history.deliveries));
    await tx.query(insertAttempts(organizationId, history.deliveries));
    await tx.query(insertHealth(organizationId));
    await tx.query('SELECT optio.recount_statistics($1)', [organizationId]);
    return organizationId;
  });
}
