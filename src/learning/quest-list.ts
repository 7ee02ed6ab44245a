/** The catalogue: quests and their tasks, as the viewer may see them. Row-level security hides drafts from students. */
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import type { Pillar, Prisma, Quest, QuestStatus, Task } from '../generated/prisma/client.ts';
import { validationError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import { MAY_READ_QUESTS, MAY_READ_TASKS, teaches } from './context.ts';

export type QuestFilter = {
  readonly statuses?: readonly QuestStatus[] | undefined;
  readonly pillar?: Pillar | undefined;
  /** Somewhere in the title or the description, whatever the case. */
  readonly search?: string | undefined;
};

/** The quests of the viewer's organization, newest first; for a student, those that can be started. */
export async function listQuests(
  context: RequestContext,
  filter: QuestFilter,
  page: PageRequest,
): Promise<Page<Quest>> {
  authorize(context.viewer, MAY_READ_QUESTS);
  const { id, take, order } = pageQuery(page);
  const where = { AND: [{ id }, conditions(context, filter)] };
  const rows = await context.read((tx) => tx.quest.findMany({ where, orderBy: { id: order }, take }));
  return toPage(rows, page);
}

/** How many `listQuests` would list. */
export async function countQuests(context: RequestContext, filter: QuestFilter): Promise<Count> {
  authorize(context.viewer, MAY_READ_QUESTS);
  const where = conditions(context, filter);
  return toCount(await context.read((tx) => tx.quest.count({ where, take: MAX_COUNT + 1 })));
}

/** The quests of these ids that the viewer sees, in one query. */
export async function findQuests(context: RequestContext, ids: readonly string[]): Promise<readonly Quest[]> {
  authorize(context.viewer, MAY_READ_QUESTS);
  const where = { organizationId: context.viewer.organizationId, id: { in: ids.filter(isUuid) } };
  return context.read((tx) => tx.quest.findMany({ where }));
}

/** The tasks of these ids that the viewer sees, in one query. */
export async function findTasks(context: RequestContext, ids: readonly string[]): Promise<readonly Task[]> {
  authorize(context.viewer, MAY_READ_TASKS);
  const where = { organizationId: context.viewer.organizationId, id: { in: ids.filter(isUuid) } };
  return context.read((tx) => tx.task.findMany({ where }));
}

/** The tasks of these quests in their order, by the quest's id, in one query. */
export async function listTasksOf(
  context: RequestContext,
  questIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Task[]>> {
  authorize(context.viewer, MAY_READ_TASKS);
  const where = { organizationId: context.viewer.organizationId, questId: { in: [...questIds] } };
  const tasks = await context.read((tx) => tx.task.findMany({ where, orderBy: { position: 'asc' } }));
  return Map.groupBy(tasks, ({ questId }) => questId);
}

const MAX_SEARCH_CHARACTERS = 100;

/**
 * An index leads to the quests of the organization; the text is looked for in those, newest first, until the page is
 * full. A school has some thousands.
 */
function conditions({ viewer }: RequestContext, filter: QuestFilter): Prisma.QuestWhereInput {
  const text = filter.search?.trim() ?? '';
  if (text.length > MAX_SEARCH_CHARACTERS) {
    const message = `Expected at most ${MAX_SEARCH_CHARACTERS} characters.`;
    throw validationError([{ path: ['filter', 'search'], message }]);
  }
  // % and _ stand for themselves; NUL is in no stored text, and PostgreSQL takes no text that has it.
  const literal = text.replaceAll('\0', '\ufffd').replaceAll(/[\\%_]/g, '\\$&');
  const contains = { contains: literal, mode: 'insensitive' } as const;
  return {
    organizationId: viewer.organizationId,
    AND: [
      filter.statuses === undefined ? {} : { status: { in: [...filter.statuses] } },
      teaches(viewer) ? {} : { status: 'PUBLISHED' },
    ],
    ...(filter.pillar === undefined ? {} : { pillar: filter.pillar }),
    ...(text === '' ? {} : { OR: [{ title: contains }, { description: contains }] }),
  };
}
