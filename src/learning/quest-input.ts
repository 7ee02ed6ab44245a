/** What makes up a quest, checked before it is stored. */
import type { Pillar } from '../generated/prisma/client.ts';
import { type Fault, validationError } from '../lib/errors.ts';
import { lineFaults, normalLines, rangeFaults, textFaults } from './text.ts';

export type TaskInput = {
  readonly title: string;
  readonly pillar: Pillar;
  readonly xp: number;
  /** Whether only who teaches can have it count as completed. */
  readonly requiresApproval: boolean;
};

export type QuestInput = {
  readonly title: string;
  readonly description: string;
  readonly pillar: Pillar;
  /** For completing the quest, beside the XP of its tasks. */
  readonly xp: number;
  /** In the order they are to be done. */
  readonly tasks: readonly TaskInput[];
};

export const MAX_TITLE_CHARACTERS = 200;
export const MAX_DESCRIPTION_CHARACTERS = 10_000;
export const MAX_TASKS = 50;
export const MAX_XP = 10_000;

/** The quest as it is stored, or the part of it that is given. Throws `VALIDATION` with every fault. */
export function parseQuest<T extends Partial<QuestInput>>(input: T): T {
  const faults = findFaults(input);
  if (faults.length > 0) throw validationError(faults);
  return {
    ...input,
    ...(input.title === undefined ? {} : { title: input.title.trim() }),
    ...(input.description === undefined ? {} : { description: normalLines(input.description) }),
    ...(input.tasks === undefined ? {} : { tasks: input.tasks.map(parseTask) }),
  };
}

function parseTask(task: TaskInput): TaskInput {
  return { ...task, title: task.title.trim() };
}

function findFaults({ title, description, xp, tasks }: Partial<QuestInput>): readonly Fault[] {
  return [
    ...(title === undefined ? [] : lineFaults(['title'], title, MAX_TITLE_CHARACTERS)),
    ...(description === undefined
      ? []
      : textFaults(['description'], normalLines(description), MAX_DESCRIPTION_CHARACTERS)),
    ...(xp === undefined ? [] : rangeFaults(['xp'], xp, [0, MAX_XP])),
    ...(tasks === undefined ? [] : taskFaults(tasks)),
  ];
}

function taskFaults(tasks: readonly TaskInput[]): readonly Fault[] {
  if (tasks.length > MAX_TASKS) return [{ path: ['tasks'], message: `Expected at most ${MAX_TASKS} tasks.` }];
  return tasks.flatMap(({ title, xp }, index) => [
    ...lineFaults(['tasks', index, 'title'], title, MAX_TITLE_CHARACTERS),
    ...rangeFaults(['tasks', index, 'xp'], xp, [0, MAX_XP]),
  ]);
}
