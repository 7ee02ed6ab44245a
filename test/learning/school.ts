/** A school: a real database with an organization and its people, and the learning core on behalf of each of them. */
import { requestContext, type Viewer } from '../../src/accounts/viewer.ts';
import type { Pillar, Quest, Task } from '../../src/generated/prisma/client.ts';
import type { LearningContext } from '../../src/learning/context.ts';
import { changeQuestStatus, createQuest } from '../../src/learning/quest.ts';
import type { QuestInput, TaskInput } from '../../src/learning/quest-input.ts';
import { type TurnableClock, turnableClock } from '../../src/lib/clock.ts';
import { newId } from '../../src/lib/ids.ts';
import { createTenancy } from '../../src/platform/database/tenancy.ts';
import { createTestDatabase, query, TEST_KEY, type TestDatabase } from '../support/database.ts';

export type Emitted = { readonly type: string; readonly data: Readonly<Record<string, unknown>> };

export type School = {
  readonly database: TestDatabase;
  readonly clock: TurnableClock;
  readonly organizationId: string;
  /** Organizations whose lanes were woken, once for each commit that had something to send. */
  readonly woken: string[];
  /** Somebody of that role who has signed in; `change` makes a token of it, or moves it to another organization. */
  readonly context: (
    userId: string | null,
    role: Viewer['role'],
    change?: Partial<Viewer>,
  ) => LearningContext;
  readonly addMember: (role: 'ADMIN' | 'EDUCATOR' | 'STUDENT', organizationId?: string) => Promise<string>;
  readonly addOrganization: () => Promise<string>;
  /** What was emitted in the organization, in order, or of one user alone. */
  readonly events: (userId?: string) => Promise<readonly Emitted[]>;
  readonly sql: (text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>;
  readonly close: () => Promise<void>;
};

export async function openSchool(): Promise<School> {
  const database = await createTestDatabase();
  const tenancy = createTenancy({
    url: database.urls.tenantUrl,
    maxConnections: 8,
    onIdleError: () => undefined,
  });
  const clock = turnableClock(new Date('2026-11-25T08:00:00Z'));
  const woken: string[] = [];
  const sql: School['sql'] = (text, values) => query(database.ownerUrl, text, values);
  const addOrganization = async () => {
    const id = newId();
    await sql('INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $2)', [id, `school-${id}`]);
    return id;
  };
  const organizationId = await addOrganization();
  return {
    database,
    clock,
    organizationId,
    woken,
    sql,
    addOrganization,
    context: (userId, role, change) => {
      const expiresAt = new Date(clock.now().getTime() + 86_400_000);
      const token =
        role === 'CLIENT' ? { clientId: 'lms', scopes: ['read', 'write'] } : { clientId: null, scopes: null };
      const viewer = { organizationId, userId, role, ...token, expiresAt, tokenId: null, ...change };
      const wakeLanes = (id: string) => void woken.push(id);
      return { ...requestContext(tenancy, viewer), clock, keys: [TEST_KEY], wakeLanes };
    },
    addMember: async (role, of = organizationId) => {
      const id = newId();
      await sql('INSERT INTO users (id, email, name) VALUES ($1, $2, $2)', [id, `${id}@school.example`]);
      await sql('INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3::"Role")', [
        of,
        id,
        role,
      ]);
      return id;
    },
    events: async (userId) => {
      const rows = await sql('SELECT body FROM events WHERE organization_id = $1 ORDER BY id', [
        organizationId,
      ]);
      const all = rows.map(({ body }) => JSON.parse(String(body)) as { event: string } & Emitted); // The envelope.
      return all
        .filter(({ data }) => userId === undefined || data['user_id'] === userId)
        .map(({ event, data }) => ({ type: event, data }));
    },
    close: async () => {
      await tenancy.close();
      await database.drop();
    },
  };
}

export const RIVER: QuestInput = {
  title: 'The river behind the school',
  description: 'Find out how the river is.',
  pillar: 'STEM',
  xp: 100,
  tasks: [
    task('Take a water sample'),
    task('Measure the current'),
    task('Write the field report', { pillar: 'COMMUNICATION' }),
  ],
};

export function task(title: string, change: Partial<TaskInput> = {}): TaskInput {
  return { title, pillar: 'STEM' satisfies Pillar, xp: 50, requiresApproval: false, ...change };
}

/** A quest that was published, with its tasks in order. */
export async function publishQuest(
  school: School,
  change: Partial<QuestInput> = {},
): Promise<{ readonly quest: Quest; readonly tasks: readonly Task[] }> {
  const teacher = school.context(await school.addMember('EDUCATOR'), 'EDUCATOR');
  const { id } = await createQuest(teacher, { ...RIVER, ...change });
  const quest = await changeQuestStatus(teacher, { id, status: 'PUBLISHED' });
  const tasks = await teacher.read((tx) =>
    tx.task.findMany({ where: { questId: id }, orderBy: { position: 'asc' } }),
  );
  return { quest, tasks };
}
