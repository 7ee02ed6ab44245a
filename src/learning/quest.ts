/**
 * Quests, from the side of who teaches: create, change, publish, archive. The tasks of a quest are fixed once it was
 * published, so that whoever has started it does what everybody else does, and its last task stays the last one.
 */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import type { Quest, QuestStatus } from '../generated/prisma/client.ts';
import { AppError, validationError } from '../lib/errors.ts';
import { isUuid, newId } from '../lib/ids.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { type LearningContext, MAY_WRITE_QUESTS } from './context.ts';
import { parseQuest, type QuestInput, type TaskInput } from './quest-input.ts';

const CREATED = z.object({ id: z.string() });

/**
 * Creates a draft; the same `idempotencyKey` within 24 hours answers the quest of the first time.
 * Errors: `FORBIDDEN`, `VALIDATION`, `CONFLICT` of the key.
 */
export async function createQuest(
  context: LearningContext,
  input: QuestInput,
  idempotencyKey?: string,
): Promise<Quest> {
  authorize(context.viewer, MAY_WRITE_QUESTS);
  const quest = parseQuest(input);
  const request = { operation: 'createQuest', key: idempotencyKey, input: quest, answer: CREATED };
  return context.write(async (unit) => {
    const { answer } = await once(unit, context, request, () => insertQuest(unit, context, quest));
    return requireQuest(unit, context, answer.id);
  });
}

async function insertQuest(
  unit: Unit,
  context: LearningContext,
  { tasks, ...quest }: QuestInput,
): Promise<z.infer<typeof CREATED>> {
  const { organizationId } = context.viewer;
  const now = context.clock.now();
  const row = { organizationId, id: newId(), ...quest, createdAt: now, updatedAt: now };
  await unit.tx.quest.createMany({ data: [row] });
  await insertTasks(unit, row, tasks);
  return { id: row.id };
}

export type QuestChange = {
  readonly id: string;
  /** The version that is to be changed. */
  readonly expectedVersion?: number | undefined;
  /** What is left out stays. Tasks take the place of those there are; of a draft only. */
  readonly fields: Partial<QuestInput>;
};

/** Changes a quest. Errors: `FORBIDDEN`, `VALIDATION`, `NOT_FOUND`; `CONFLICT` of the version, or for tasks of no draft. */
export async function updateQuest(context: LearningContext, change: QuestChange): Promise<Quest> {
  authorize(context.viewer, MAY_WRITE_QUESTS);
  const { tasks, ...fields } = parseQuest(change.fields);
  return context.write(async (unit) => {
    const quest = await lockQuest(unit, context, change);
    if (tasks !== undefined) await replaceTasks(unit, quest, tasks);
    return unit.tx.quest.update({
      where: keyOf(quest),
      data: { ...fields, version: { increment: 1 }, updatedAt: context.clock.now() },
    });
  });
}

export type QuestStatusChange = Pick<QuestChange, 'id' | 'expectedVersion'> & {
  /** What was published does not become a draft again. */
  readonly status: QuestStatus;
};

/**
 * Publishes a quest, or archives it: then nobody starts it any more, and who has started it may go on. What has the
 * status already stays as it is. Errors: `FORBIDDEN`, `VALIDATION` (path `status`), `NOT_FOUND`; `CONFLICT` of the version, for a quest without
 * tasks, and for archiving a draft.
 */
export async function changeQuestStatus(context: LearningContext, change: QuestStatusChange): Promise<Quest> {
  authorize(context.viewer, MAY_WRITE_QUESTS);
  const { status } = change;
  if (status === 'DRAFT') {
    throw validationError([{ path: ['status'], message: 'Expected PUBLISHED or ARCHIVED.' }]);
  }
  return context.write(async (unit) => {
    const quest = await lockQuest(unit, context, change);
    if (quest.status === status) return quest;
    if (status === 'PUBLISHED') await requireTasks(unit, quest);
    else if (quest.status === 'DRAFT') throw new AppError('CONFLICT', 'A draft cannot be archived.');
    return unit.tx.quest.update({
      where: keyOf(quest),
      data: { status, version: { increment: 1 }, updatedAt: context.clock.now() },
    });
  });
}

async function insertTasks({ tx }: Unit, quest: QuestKey, tasks: readonly TaskInput[]): Promise<void> {
  const data = tasks.map((task, index) => ({
    ...task,
    organizationId: quest.organizationId,
    questId: quest.id,
    id: newId(),
    position: index + 1,
  }));
  if (data.length > 0) await tx.task.createMany({ data });
}

async function replaceTasks(unit: Unit, quest: Quest, tasks: readonly TaskInput[]): Promise<void> {
  if (quest.status !== 'DRAFT') {
    throw new AppError(
      'CONFLICT',
      'The quest was published: its tasks are fixed. Make another quest of them.',
    );
  }
  await unit.tx.task.deleteMany({ where: { organizationId: quest.organizationId, questId: quest.id } });
  await insertTasks(unit, quest, tasks);
}

async function requireTasks({ tx }: Unit, { organizationId, id }: Quest): Promise<void> {
  if ((await tx.task.count({ where: { organizationId, questId: id }, take: 1 })) > 0) return;
  throw new AppError('CONFLICT', 'A quest without tasks cannot be published.');
}

type QuestKey = Pick<Quest, 'organizationId' | 'id'>;

function keyOf({ organizationId, id }: QuestKey) {
  return { organizationId_id: { organizationId, id } };
}

/** The quest, locked to the end of the transaction: changes take turns. */
async function lockQuest(
  unit: Unit,
  context: LearningContext,
  { id, expectedVersion }: Pick<QuestChange, 'id' | 'expectedVersion'>,
): Promise<Quest> {
  const { organizationId } = context.viewer;
  if (isUuid(id)) {
    await unit.tx.$executeRaw`
      SELECT FROM quests WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR UPDATE`;
  }
  const quest = await requireQuest(unit, context, id);
  if (expectedVersion === undefined || expectedVersion === quest.version) return quest;
  throw new AppError(
    'CONFLICT',
    `The quest was changed meanwhile: it has version ${quest.version}, not ${expectedVersion}.`,
    { currentVersion: quest.version, current: { type: 'Quest', id } },
  );
}

/** The quest in the transaction; throws `NOT_FOUND` for one that the viewer does not see. */
export async function requireQuest(
  { tx }: Pick<Unit, 'tx'>,
  { viewer }: Pick<RequestContext, 'viewer'>,
  id: string,
): Promise<Quest> {
  const { organizationId } = viewer;
  const quest = isUuid(id) ? await tx.quest.findUnique({ where: keyOf({ organizationId, id }) }) : null;
  if (quest === null) throw new AppError('NOT_FOUND', `There is no quest ${JSON.stringify(id)}.`);
  return quest;
}
