/** The SQL of badges. */
import type { Badge } from '../generated/prisma/client.ts';
import type { Unit } from '../platform/database/tenancy.ts';

export type AwardByRule = {
  readonly organizationId: string;
  readonly userId: string;
  readonly now: Date;
};

/**
 * Awards what the learner's counts have come to and it has not yet. The caller has changed the learner's row in this
 * transaction: others who would award the same wait there. Reads the badges of the organization, some dozens.
 */
export function awardByRule(
  { tx }: Unit,
  { organizationId, userId, now }: AwardByRule,
): Promise<readonly Pick<Badge, 'id' | 'name'>[]> {
  return tx.$queryRaw<Pick<Badge, 'id' | 'name'>[]>`
    WITH due AS (
      SELECT b.id, b.name FROM learners l JOIN badges b ON b.organization_id = l.organization_id
      WHERE l.organization_id = ${organizationId}::uuid AND l.user_id = ${userId}::uuid
        AND b.threshold <= CASE b.rule
          WHEN 'QUESTS_COMPLETED' THEN l.quests_completed
          WHEN 'PILLAR_XP' THEN CASE b.pillar WHEN 'STEM' THEN l.stem_xp WHEN 'ARTS' THEN l.arts_xp
            WHEN 'CIVICS' THEN l.civics_xp WHEN 'COMMUNICATION' THEN l.communication_xp ELSE l.wellness_xp END
        END
        AND NOT EXISTS (SELECT FROM badge_awards a
          WHERE a.organization_id = l.organization_id AND a.user_id = l.user_id AND a.badge_id = b.id)
    ), awarded AS (
      INSERT INTO badge_awards (organization_id, user_id, badge_id, earned_at)
      SELECT ${organizationId}::uuid, ${userId}::uuid, id, ${now}::timestamptz FROM due
      ON CONFLICT DO NOTHING RETURNING badge_id
    )
    SELECT due.id, due.name FROM due JOIN awarded ON awarded.badge_id = due.id ORDER BY due.id`;
}
