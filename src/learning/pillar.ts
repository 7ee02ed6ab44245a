/** Pillars: what XP counts for. */
import type { PILLARS } from '../events/event-type.ts';
import type { Learner, Pillar } from '../generated/prisma/client.ts';

type PillarName = (typeof PILLARS)[number];
type XpColumn = 'stemXp' | 'artsXp' | 'civicsXp' | 'communicationXp' | 'wellnessXp';

const PILLAR: Readonly<Record<Pillar, { readonly name: PillarName; readonly column: XpColumn }>> = {
  STEM: { name: 'stem', column: 'stemXp' },
  ARTS: { name: 'arts', column: 'artsXp' },
  CIVICS: { name: 'civics', column: 'civicsXp' },
  COMMUNICATION: { name: 'communication', column: 'communicationXp' },
  WELLNESS: { name: 'wellness', column: 'wellnessXp' },
};

/** What events call the pillar. */
export function pillarName(pillar: Pillar): PillarName {
  return PILLAR[pillar].name;
}

export type PillarXp = { readonly pillar: Pillar; readonly xp: number };

/** The XP of a learner, pillar by pillar. */
export function xpByPillar(learner: Pick<Learner, XpColumn>): readonly PillarXp[] {
  return (Object.keys(PILLAR) as Pillar[]) // Its keys are the pillars.
    .map((pillar) => ({ pillar, xp: learner[PILLAR[pillar].column] }));
}

/** The XP of a learner in all pillars together. */
export function totalXp(learner: Pick<Learner, XpColumn>): number {
  return xpByPillar(learner).reduce((sum, { xp }) => sum + xp, 0);
}

/** What to add to a learner's columns; the same pillar may come more than once. */
export function xpIncrements(
  earned: readonly PillarXp[],
): Partial<Record<XpColumn, { readonly increment: number }>> {
  const sums = new Map<XpColumn, number>();
  for (const { pillar, xp } of earned) {
    const { column } = PILLAR[pillar];
    sums.set(column, (sums.get(column) ?? 0) + xp);
  }
  return Object.fromEntries([...sums].map(([column, increment]) => [column, { increment }]));
}
