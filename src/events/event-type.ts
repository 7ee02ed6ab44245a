/** The catalogue of event types: name, version, schema of `data`, and an example that fits it. */
import { z } from 'zod';
import type { Fault } from '../lib/errors.ts';

const id = z.string().min(1).max(200).describe('An id of the emitting system, not necessarily a UUID.');
const time = z.iso.datetime({ offset: true }).describe('RFC 3339.');
const title = z.string().min(1).max(1_000);
const count = z.int().min(0);

export const PILLARS = ['stem', 'arts', 'civics', 'communication', 'wellness'] as const;
const pillar = z.enum(PILLARS).describe('The pillar the XP counts for.');

type Definition = {
  readonly version: number;
  readonly description: string;
  readonly data: z.ZodRawShape;
  readonly example: Record<string, unknown>;
};

const AT = '2026-11-23T09:30:00Z';

/** The catalogue holds nothing of anybody, so every role may read it, through each door. */
export const MAY_READ_CATALOGUE = {
  scope: 'read:webhooks',
  roles: ['ADMIN', 'EDUCATOR', 'STUDENT'],
} as const;

const DEFINITIONS = {
  'task.completed': {
    version: 1,
    description: 'A student completed a task.',
    data: {
      user_id: id,
      task_id: id,
      quest_id: id,
      task_title: title,
      xp_awarded: count,
      pillar,
      completed_at: time,
    },
    example: {
      user_id: 'usr_ada',
      task_id: 'tsk_water_sample',
      quest_id: 'qst_river',
      task_title: 'Take a water sample',
      xp_awarded: 50,
      pillar: 'stem',
      completed_at: AT,
    },
  },
  'task.submitted': {
    version: 1,
    description: 'A student handed in work for a task.',
    data: {
      user_id: id,
      task_id: id,
      quest_id: id,
      task_title: title,
      submission_id: id,
      submitted_at: time,
    },
    example: {
      user_id: 'usr_ada',
      task_id: 'tsk_water_sample',
      quest_id: 'qst_river',
      task_title: 'Take a water sample',
      submission_id: 'sub_1',
      submitted_at: AT,
    },
  },
  'quest.completed': {
    version: 1,
    description: 'A student completed the last task of a quest.',
    data: {
      user_id: id,
      quest_id: id,
      quest_title: title,
      tasks_completed: count,
      total_xp_earned: count,
      completed_at: time,
    },
    example: {
      user_id: 'usr_ada',
      quest_id: 'qst_river',
      quest_title: 'The river behind the school',
      tasks_completed: 4,
      total_xp_earned: 200,
      completed_at: AT,
    },
  },
  'badge.earned': {
    version: 1,
    description: 'A student earned a badge.',
    data: { user_id: id, badge_id: id, badge_name: title, earned_at: time },
    example: { user_id: 'usr_ada', badge_id: 'bdg_naturalist', badge_name: 'Naturalist', earned_at: AT },
  },
  'user.registered': {
    version: 1,
    description: 'A person joined the organization.',
    data: { user_id: id, role: z.enum(['ADMIN', 'EDUCATOR', 'STUDENT']), registered_at: time },
    example: { user_id: 'usr_ada', role: 'STUDENT', registered_at: AT },
  },
  'grade.updated': {
    version: 1,
    description: 'A student was given a grade for a quest, or another one than before.',
    data: {
      user_id: id,
      quest_id: id,
      grade: z.number().min(0).max(100),
      previous_grade: z.number().min(0).max(100).optional(),
      graded_by: id.optional(),
      updated_at: time,
    },
    example: {
      user_id: 'usr_ada',
      quest_id: 'qst_river',
      grade: 92.5,
      previous_grade: 88,
      graded_by: 'usr_lin',
      updated_at: AT,
    },
  },
  'webhook.test': {
    version: 1,
    description: 'Sent on request, to see whether a receiver works.',
    data: { message: z.string().max(1_000), requested_by: id },
    example: { message: 'Hello from Optio Connect.', requested_by: 'usr_lin' },
  },
  'webhook.subscription.disabled': {
    version: 1,
    description: 'A webhook subscription of the organization was disabled because it kept failing.',
    data: { subscription_id: id, target_url: z.string(), reason: z.string(), disabled_at: time },
    example: {
      subscription_id: '019ab0c4-7d1e-7c5a-9f00-2b8f6f0d6a11',
      target_url: 'https://lms.example/hooks/optio',
      reason: 'The receiver answered 410 Gone.',
      disabled_at: AT,
    },
  },
} as const satisfies Record<string, Definition>;

/** The name of an event type of the catalogue. */
export type EventTypeName = keyof typeof DEFINITIONS;

export type EventType = {
  readonly name: EventTypeName;
  readonly version: number;
  readonly description: string;
  /** JSON Schema (2020-12) of `data`. */
  readonly jsonSchema: Readonly<Record<string, unknown>>;
  readonly example: Readonly<Record<string, unknown>>;
  /** What does not fit in `data`; empty when all of it fits. Unknown fields fit, and are kept. */
  readonly findFaults: (data: unknown) => readonly Fault[];
};

/** Every event type, in the order of the catalogue. */
export const EVENT_TYPES: readonly EventType[] = Object.entries(DEFINITIONS).map(
  ([name, definition]) => describe(name as EventTypeName, definition), // The keys of DEFINITIONS are the names.
);

const BY_NAME: ReadonlyMap<string, EventType> = new Map(EVENT_TYPES.map((type) => [type.name, type]));

/** The event type of that name; undefined when the catalogue has none. */
export function findEventType(name: string): EventType | undefined {
  return BY_NAME.get(name);
}

function describe(name: EventTypeName, { data, ...rest }: Definition): EventType {
  const schema = z.looseObject(data);
  return {
    name,
    ...rest,
    jsonSchema: z.toJSONSchema(schema),
    findFaults: (value) => {
      const result = schema.safeParse(value);
      return result.success ? [] : result.error.issues.map(toFault);
    },
  };
}

function toFault(issue: z.core.$ZodIssue): Fault {
  return {
    path: issue.path.map((key) => (typeof key === 'number' ? key : String(key))),
    message: issue.message,
  };
}
