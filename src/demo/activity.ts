/** What happens at the demo school: one event of the catalogue at a time, with data as the learning platform would send it. */
import type { EventTypeName } from '../events/event-type.ts';
import { unreachable } from '../lib/errors.ts';
import type { Chance } from './chance.ts';
import { BADGES, QUESTS, type Quest } from './curriculum.ts';

/** The people events are about, by their ids. */
export type Cast = { readonly students: readonly string[]; readonly educators: readonly string[] };

export type Happening = {
  readonly type: EventTypeName;
  readonly data: Readonly<Record<string, unknown>>;
};

/** What happens at a school, as opposed to its webhooks. */
export type SchoolEvent = Exclude<EventTypeName, 'webhook.test' | 'webhook.subscription.disabled'>;

/** How often each type happens, in parts of a hundred. */
const SHARES: readonly (readonly [SchoolEvent, number])[] = [
  ['task.submitted', 34],
  ['task.completed', 34],
  ['grade.updated', 13],
  ['quest.completed', 9],
  ['badge.earned', 7],
  ['user.registered', 3],
];

/** An event at this time, of this type or of any; the same chance gives the same one. */
export function happeningAt(
  at: Date,
  cast: Cast,
  chance: Chance,
  type: SchoolEvent = pickType(chance),
): Happening {
  const quest = chance.pick(QUESTS);
  const data = { user_id: chance.pick(cast.students), ...dataOf(type, { at, quest, cast, chance }) };
  return { type, data };
}

function pickType(chance: Chance): SchoolEvent {
  let rest = chance.next() * 100;
  for (const [type, share] of SHARES) {
    rest -= share;
    if (rest < 0) return type;
  }
  return 'task.completed';
}

type Scene = {
  readonly at: Date;
  readonly quest: Quest;
  readonly cast: Cast;
  readonly chance: Chance;
};

/** The rest of `data`. */
function dataOf(type: SchoolEvent, { at, quest, cast, chance }: Scene): Readonly<Record<string, unknown>> {
  const time = at.toISOString();
  const taskIndex = chance.between(0, quest.tasks.length - 1);
  const task = {
    task_id: `${quest.id}_${taskIndex + 1}`,
    quest_id: quest.id,
    task_title: quest.tasks[taskIndex],
  };
  switch (type) {
    case 'task.submitted':
      return { ...task, submission_id: `sub_${idOf(at, chance)}`, submitted_at: time };
    case 'task.completed':
      return { ...task, xp_awarded: quest.xp, pillar: quest.pillar, completed_at: time };
    case 'quest.completed':
      return {
        quest_id: quest.id,
        quest_title: quest.title,
        tasks_completed: quest.tasks.length,
        total_xp_earned: quest.tasks.length * quest.xp,
        completed_at: time,
      };
    case 'badge.earned': {
      const badge = chance.pick(BADGES);
      return { badge_id: badge.id, badge_name: badge.name, earned_at: time };
    }
    case 'user.registered':
      // A newcomer, whom nobody else of the cast is.
      return { user_id: `usr_${idOf(at, chance)}`, role: 'STUDENT', registered_at: time };
    case 'grade.updated':
      return {
        quest_id: quest.id,
        ...gradeOf(chance),
        graded_by: chance.pick(cast.educators),
        updated_at: time,
      };
    default:
      return unreachable(type);
  }
}

function gradeOf(chance: Chance): { readonly grade: number; readonly previous_grade?: number } {
  const grade = chance.between(110, 200) / 2;
  return chance.happens(0.3) ? { grade, previous_grade: chance.between(100, grade * 2) / 2 } : { grade };
}

/** Looks like an id of another system; times apart make ids apart. */
function idOf(at: Date, chance: Chance): string {
  return `${at.getTime().toString(36)}${chance.between(0, 46_655).toString(36).padStart(3, '0')}`;
}
