/**
 * The class of the past week, act by act: who starts, submits, completes, is graded and awarded what, by the rules that the
 * learning core has, with the events it would have emitted. In memory, since it is past; `records` are its rows.
 */
import type { EventTypeName } from '../events/event-type.ts';
import {
  badgeEarned,
  gradeUpdated,
  type LearningEvent,
  questCompleted,
  taskCompleted,
  taskSubmitted,
} from '../learning/events.ts';
import { unreachable } from '../lib/errors.ts';
import type { Chance } from './chance.ts';
import {
  createRecords,
  type EnrolmentRecord,
  type LearnerRecord,
  type Records,
} from './classroom-records.ts';
import type { Curriculum, PlannedBadge, PlannedQuest } from './curriculum.ts';

/** The people events are about, by their ids. */
export type Cast = { readonly students: readonly string[]; readonly educators: readonly string[] };

/** What happens at a school, as opposed to its webhooks. */
export type SchoolEvent = Exclude<EventTypeName, 'webhook.test' | 'webhook.subscription.disabled'>;

export type Classroom = {
  /** Lets something happen, of this type or of any; a completion may bring a quest or a badge along. */
  readonly act: (at: Date, chance: Chance, type?: SchoolEvent) => readonly LearningEvent[];
  readonly records: Records;
};

/** How often each type happens, in parts of a hundred; quests are completed with their last tasks. */
const SHARES: readonly (readonly [SchoolEvent, number])[] = [
  ['task.submitted', 32],
  ['task.completed', 30],
  ['grade.updated', 28],
  ['badge.earned', 6],
  ['user.registered', 4],
];
/** So many of the students join during the week. */
const NEWCOMERS = 3;

export function createClassroom(cast: Cast, curriculum: Curriculum): Classroom {
  const room: Room = {
    cast,
    curriculum,
    records: createRecords(),
    newcomers: cast.students.slice(Math.max(1, cast.students.length - NEWCOMERS)),
  };
  return {
    records: room.records,
    act: (at, chance, type = pickType(chance)) => happen(room, { at, chance }, type),
  };
}

type Room = {
  readonly cast: Cast;
  readonly curriculum: Curriculum;
  readonly records: Records;
  /** Those who have not joined yet. */
  newcomers: readonly string[];
};
type Moment = { readonly at: Date; readonly chance: Chance };

function pickType(chance: Chance): SchoolEvent {
  let rest = chance.next() * 100;
  for (const [type, share] of SHARES) {
    rest -= share;
    if (rest < 0) return type;
  }
  return 'task.completed';
}

function happen(room: Room, moment: Moment, type: SchoolEvent): readonly LearningEvent[] {
  switch (type) {
    case 'task.submitted':
      return submit(room, moment) ?? complete(room, moment);
    case 'task.completed':
      return complete(room, moment);
    case 'quest.completed':
      return finish(room, moment);
    case 'grade.updated':
      return grade(room, moment);
    case 'badge.earned':
      return award(room, moment) ?? grade(room, moment);
    case 'user.registered':
      return register(room, moment) ?? complete(room, moment);
    default:
      return unreachable(type);
  }
}

/** The students who have joined, from a random one on. */
function studentsOf({ cast, newcomers }: Room, chance: Chance): readonly string[] {
  const present = cast.students.filter((id) => !newcomers.includes(id));
  const first = chance.between(0, present.length - 1);
  return [...present.slice(first), ...present.slice(0, first)];
}

/** What a student is at: the quest that was started last, or the next one. Undefined when everything is done. */
function workOf({ records, curriculum }: Room, userId: string, at: Date): EnrolmentRecord | undefined {
  const learner = records.learner(userId);
  const open = learner.enrolments.find(({ completedAt }) => completedAt === null);
  if (open !== undefined) return open;
  // Each begins elsewhere in the curriculum.
  const { quests } = curriculum;
  const quest = quests[(learner.order * 5 + learner.enrolments.length) % quests.length];
  if (quest === undefined || learner.enrolments.length >= quests.length) return undefined;
  return records.enrol(learner, quest, at);
}

function nextTask({ quest, completions }: EnrolmentRecord): PlannedQuest['tasks'][number] {
  const task = quest.tasks[completions.length];
  if (task === undefined) throw new Error('A quest that is not completed has a next task.');
  return task;
}

function submit(room: Room, { at, chance }: Moment): readonly LearningEvent[] | undefined {
  for (const userId of studentsOf(room, chance)) {
    const work = workOf(room, userId, at);
    if (work !== undefined && work.waiting === undefined) return [submitFor(work, { at, chance })];
  }
  return undefined;
}

function submitFor(work: EnrolmentRecord, { at, chance }: Moment): LearningEvent {
  const task = nextTask(work);
  const submission = work.submit(task, at, chance);
  return taskSubmitted(task, submission);
}

/** Work that waits for its review is what is completed first. */
function complete(room: Room, moment: Moment): readonly LearningEvent[] {
  const works = studentsOf(room, moment.chance).flatMap((userId) => workOf(room, userId, moment.at) ?? []);
  const work = works.find(({ waiting }) => waiting !== undefined) ?? works[0];
  // Everything is done.
  return work === undefined ? grade(room, moment) : completeFor(room, work, moment);
}

function completeFor(room: Room, work: EnrolmentRecord, moment: Moment): readonly LearningEvent[] {
  const { at } = moment;
  const task = nextTask(work);
  const { learner } = work;
  const { userId } = learner;
  const before = task.requiresApproval && work.waiting === undefined ? [submitFor(work, moment)] : [];
  work.complete(task, at, moment.chance.pick(room.cast.educators));
  const events = [...before, taskCompleted(task, { userId, at })];
  if (work.completedAt !== null) {
    const [tasks, xp] = [work.completions.length, work.xpEarned];
    events.push(questCompleted(work.quest, { userId, at, tasks, xp }));
  }
  for (const badge of room.curriculum.badges.filter((one) => isDue(one, learner))) {
    learner.award(badge, at, null);
    events.push(badgeEarned(badge, { userId, at }));
  }
  return events;
}

function isDue({ id, rule, threshold, pillar }: PlannedBadge, learner: LearnerRecord): boolean {
  if (threshold === null || learner.has(id)) return false;
  const reached =
    rule === 'QUESTS_COMPLETED' || pillar === null ? learner.questsCompleted : learner.xpIn(pillar);
  return reached >= threshold;
}

/** Completes whatever quest is nearest to its end. */
function finish(room: Room, moment: Moment): readonly LearningEvent[] {
  const works = studentsOf(room, moment.chance).flatMap((userId) => workOf(room, userId, moment.at) ?? []);
  const left = ({ quest, completions }: EnrolmentRecord): number => quest.tasks.length - completions.length;
  const nearest = works.toSorted((a, b) => left(a) - left(b))[0];
  if (nearest === undefined) return grade(room, moment);
  const events: LearningEvent[] = [];
  while (nearest.completedAt === null) events.push(...completeFor(room, nearest, moment));
  return events;
}

function grade(room: Room, { at, chance }: Moment): readonly LearningEvent[] {
  for (const userId of studentsOf(room, chance)) {
    const { enrolments } = room.records.learner(userId);
    if (enrolments.length === 0) continue;
    const enrolment = chance.pick(enrolments);
    const previous = enrolment.grade?.grade;
    const usual = chance.between(110, 200) / 2;
    // The same grade again would be no news.
    const value = usual === previous ? usual - 0.5 : usual;
    return [gradeUpdated(enrolment.setGrade(value, at, chance.pick(room.cast.educators)), previous)];
  }
  return complete(room, { at, chance });
}

function award(room: Room, { at, chance }: Moment): readonly LearningEvent[] | undefined {
  const byHand = room.curriculum.badges.filter(({ rule }) => rule === 'MANUAL');
  for (const userId of studentsOf(room, chance)) {
    const learner = room.records.learner(userId);
    const missing = byHand.filter(({ id }) => !learner.has(id));
    if (missing.length === 0) continue;
    const badge = chance.pick(missing);
    learner.award(badge, at, chance.pick(room.cast.educators));
    return [badgeEarned(badge, { userId, at })];
  }
  return undefined;
}

function register(room: Room, { at }: Moment): readonly LearningEvent[] | undefined {
  const [userId, ...others] = room.newcomers;
  if (userId === undefined) return undefined;
  room.newcomers = others;
  const data = { user_id: userId, role: 'STUDENT', registered_at: at.toISOString() };
  return [{ type: 'user.registered', data, occurredAt: at }];
}
