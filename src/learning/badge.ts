/** Badges: created and awarded by who teaches, or awarded by their rule with the completion that meets it. */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import { emitInTransaction } from '../events/emit.ts';
import type { Badge, BadgeAward, Pillar } from '../generated/prisma/client.ts';
import { AppError, type Fault, validationError } from '../lib/errors.ts';
import { isUuid, newId } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { type LearningContext, MAY_READ_BADGES, MAY_WRITE_BADGES, noMember } from './context.ts';
import { badgeEarned } from './events.ts';
import { enterLearner } from './learner.ts';
import { MAX_DESCRIPTION_CHARACTERS, MAX_TITLE_CHARACTERS } from './quest-input.ts';
import { lineFaults, normalLines, rangeFaults, textFaults } from './text.ts';

export type BadgeInput = {
  readonly name: string;
  readonly description: string;
  /** Awarded when a learner has completed so many quests, or has so much XP in the pillar. At most one of the two. */
  readonly questsCompleted?: number | undefined;
  readonly pillarXp?: { readonly pillar: Pillar; readonly xp: number } | undefined;
};

const CREATED = z.object({ id: z.string() });
const MAX_THRESHOLD = 1_000_000;

/**
 * Creates a badge; without a rule people award it. Its rule is looked at with every completion from now on. The same
 * `idempotencyKey` within 24 hours answers the badge of the first time. Errors: `FORBIDDEN`, `VALIDATION`, `CONFLICT`.
 */
export async function createBadge(
  context: LearningContext,
  input: BadgeInput,
  idempotencyKey?: string,
): Promise<Badge> {
  authorize(context.viewer, MAY_WRITE_BADGES);
  const faults = findFaults(input);
  if (faults.length > 0) throw validationError(faults);
  const { organizationId } = context.viewer;
  const request = { operation: 'createBadge', key: idempotencyKey, input, answer: CREATED };
  return context.write(async (unit) => {
    const { answer } = await once(unit, context, request, async () => {
      const row = { organizationId, id: newId(), ...toRow(input), createdAt: context.clock.now() };
      await unit.tx.badge.createMany({ data: [row] });
      return { id: row.id };
    });
    return requireBadge(unit, context, answer.id);
  });
}

function findFaults({ name, description, questsCompleted, pillarXp }: BadgeInput): readonly Fault[] {
  const range = [1, MAX_THRESHOLD] as const;
  return [
    ...lineFaults(['name'], name, MAX_TITLE_CHARACTERS),
    ...textFaults(['description'], normalLines(description), MAX_DESCRIPTION_CHARACTERS),
    ...(questsCompleted === undefined ? [] : rangeFaults(['quests_completed'], questsCompleted, range)),
    ...(pillarXp === undefined ? [] : rangeFaults(['pillar_xp', 'xp'], pillarXp.xp, range)),
    ...(questsCompleted === undefined || pillarXp === undefined
      ? []
      : [{ path: ['pillar_xp'], message: 'Expected one rule: quests or XP, not both.' }]),
  ];
}

function toRow({ name, description, questsCompleted, pillarXp }: BadgeInput) {
  const texts = { name: name.trim(), description: normalLines(description) };
  if (questsCompleted !== undefined) {
    return { ...texts, rule: 'QUESTS_COMPLETED', threshold: questsCompleted } as const;
  }
  if (pillarXp === undefined) return { ...texts, rule: 'MANUAL' } as const;
  return { ...texts, rule: 'PILLAR_XP', threshold: pillarXp.xp, pillar: pillarXp.pillar } as const;
}

export type Award = { readonly badgeId: string; readonly userId: string };

/** Awards a badge to a member; who has it keeps it, and nothing is told anew. Errors: `FORBIDDEN`, `NOT_FOUND`. */
export async function awardBadge(context: LearningContext, { badgeId, userId }: Award): Promise<BadgeAward> {
  authorize(context.viewer, MAY_WRITE_BADGES);
  if (!isUuid(userId)) throw noMember(userId);
  const { organizationId } = context.viewer;
  return context.write(async (unit) => {
    const badge = await requireBadge(unit, context, badgeId);
    await enterLearner(unit, context, userId);
    const now = context.clock.now();
    const key = { organizationId, userId, badgeId };
    const data = [{ ...key, earnedAt: now, awardedById: context.viewer.userId }];
    const [award] = await unit.tx.badgeAward.createManyAndReturn({ data, skipDuplicates: true });
    if (award === undefined) {
      return unit.tx.badgeAward.findUniqueOrThrow({ where: { organizationId_userId_badgeId: key } });
    }
    await emitInTransaction(unit, organizationId, [badgeEarned(badge, { userId, at: now })], context);
    return award;
  });
}

async function requireBadge({ tx }: Unit, { viewer }: LearningContext, id: string): Promise<Badge> {
  const { organizationId } = viewer;
  const where = { organizationId_id: { organizationId, id } };
  const badge = isUuid(id) ? await tx.badge.findUnique({ where }) : null;
  if (badge === null) throw new AppError('NOT_FOUND', `There is no badge ${JSON.stringify(id)}.`);
  return badge;
}

/** The badges of the organization, newest first. */
export async function listBadges(context: RequestContext, page: PageRequest): Promise<Page<Badge>> {
  authorize(context.viewer, MAY_READ_BADGES);
  const { id, take, order } = pageQuery(page);
  const where = { organizationId: context.viewer.organizationId, id };
  const rows = await context.read((tx) => tx.badge.findMany({ where, orderBy: { id: order }, take }));
  return toPage(rows, page);
}

/** How many `listBadges` would list. */
export async function countBadges(context: RequestContext): Promise<Count> {
  authorize(context.viewer, MAY_READ_BADGES);
  const where = { organizationId: context.viewer.organizationId };
  return toCount(await context.read((tx) => tx.badge.count({ where, take: MAX_COUNT + 1 })));
}

/** The badges of these ids, in one query. */
export async function findBadges(context: RequestContext, ids: readonly string[]): Promise<readonly Badge[]> {
  authorize(context.viewer, MAY_READ_BADGES);
  const where = { organizationId: context.viewer.organizationId, id: { in: ids.filter(isUuid) } };
  return context.read((tx) => tx.badge.findMany({ where }));
}

/** What these users were awarded that the viewer sees, latest first, by the user's id, in one query. */
export async function listAwardsOf(
  context: RequestContext,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, readonly BadgeAward[]>> {
  authorize(context.viewer, MAY_READ_BADGES);
  const where = { organizationId: context.viewer.organizationId, userId: { in: [...userIds] } };
  const awards = await context.read((tx) =>
    tx.badgeAward.findMany({ where, orderBy: [{ earnedAt: 'desc' }, { badgeId: 'asc' }] }),
  );
  return Map.groupBy(awards, ({ userId }) => userId);
}
