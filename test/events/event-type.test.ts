import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EVENT_TYPES, findEventType, PILLARS } from '../../src/events/event-type.ts';

/** The catalogue as it is promised: fields of `data`, those with ? may be left out. */
const PROMISED = {
  'task.completed': 'user_id, task_id, quest_id, task_title, xp_awarded, pillar, completed_at',
  'task.submitted': 'user_id, task_id, quest_id, task_title, submission_id, submitted_at',
  'quest.completed': 'user_id, quest_id, quest_title, tasks_completed, total_xp_earned, completed_at',
  'badge.earned': 'user_id, badge_id, badge_name, earned_at',
  'user.registered': 'user_id, role, registered_at',
  'grade.updated': 'user_id, quest_id, grade, previous_grade?, graded_by?, updated_at',
  'webhook.test': 'message, requested_by',
  'webhook.subscription.disabled': 'subscription_id, target_url, reason, disabled_at',
};

function typeOf(name: string) {
  const type = findEventType(name);
  if (type === undefined) throw new Error(`There is no event type ${name}.`);
  return type;
}

function without(data: Readonly<Record<string, unknown>>, field: string) {
  return Object.fromEntries(Object.entries(data).filter(([name]) => name !== field));
}

describe('the catalogue (webhooks, event types)', () => {
  it('holds the promised types with the promised fields', () => {
    const held = EVENT_TYPES.map(({ name, jsonSchema }) => {
      const { properties, required } = z
        .object({ properties: z.record(z.string(), z.unknown()), required: z.array(z.string()) })
        .parse(jsonSchema);
      return [
        name,
        Object.keys(properties)
          .map((field) => (required.includes(field) ? field : `${field}?`))
          .join(', '),
      ];
    });
    expect(Object.fromEntries(held)).toEqual(PROMISED);
  });

  it.each(EVENT_TYPES.map((type) => [type.name, type] as const))(
    '%s has an example that fits, also by its JSON Schema',
    (_, { example, jsonSchema, findFaults, version, description }) => {
      expect(findFaults(example)).toEqual([]);
      const schema = z.fromJSONSchema(jsonSchema);
      expect(schema.safeParse(example)).toMatchObject({ success: true });
      expect(schema.safeParse({})).toMatchObject({ success: false });
      expect(version).toBe(1);
      expect(description).toMatch(/^[A-Z].*\.$/);
    },
  );

  it('knows no other type, whatever objects inherit', () => {
    for (const name of ['task.eaten', '', '*', 'toString', '__proto__'])
      expect(findEventType(name)).toBeUndefined();
  });
});

const fields = EVENT_TYPES.flatMap((type) =>
  Object.keys(type.example).map((field) => [type.name, field, type] as const),
);

describe('data that does not fit (webhooks rule 3)', () => {
  it.each(fields)('%s without %s: that field is named, unless it may be left out', (_, field, type) => {
    const faults = type.findFaults(without(type.example, field));
    const mayBeLeftOut = PROMISED[type.name].split(', ').includes(`${field}?`);
    expect(faults.map(({ path }) => path)).toEqual(mayBeLeftOut ? [] : [[field]]);
  });

  it.each(fields)(
    '%s with %s of another kind: that field is named, and so by the JSON Schema',
    (_, field, type) => {
      for (const wrong of [null, {}, [], true]) {
        const data = { ...type.example, [field]: wrong };
        expect(new Set(type.findFaults(data).map(({ path }) => path.join('.')))).toEqual(new Set([field]));
        expect(z.fromJSONSchema(type.jsonSchema).safeParse(data).success).toBe(false);
      }
    },
  );

  it.each([
    ['task.completed', 'user_id', ''],
    ['task.completed', 'user_id', 'x'.repeat(201)],
    ['task.completed', 'xp_awarded', 1.5],
    ['task.completed', 'xp_awarded', -1],
    ['task.completed', 'xp_awarded', '50'],
    ['task.completed', 'pillar', 'sports'],
    ['task.completed', 'completed_at', '2026-11-23'],
    ['task.completed', 'completed_at', '2026-11-23T09:30:00'],
    ['task.completed', 'completed_at', '2026-02-30T09:30:00Z'],
    ['user.registered', 'role', 'PARENT'],
    ['grade.updated', 'grade', 100.5],
    ['grade.updated', 'grade', -0.5],
    ['grade.updated', 'previous_grade', 101],
  ])('%s refuses %s %j', (name, field, value) => {
    const type = typeOf(name);
    expect(type.findFaults({ ...type.example, [field]: value })).toMatchObject([{ path: [field] }]);
  });

  it.each<readonly [string, string, unknown]>([
    ['task.completed', 'user_id', 'x'.repeat(200)],
    ['task.completed', 'xp_awarded', 0],
    ['task.completed', 'completed_at', '2026-11-23T10:30:00.123+01:00'],
    ['grade.updated', 'grade', 0],
    ['grade.updated', 'grade', 100],
    ...PILLARS.map((pillar) => ['task.completed', 'pillar', pillar] as const),
  ])('%s takes %s %j', (name, field, value) => {
    const type = typeOf(name);
    expect(type.findFaults({ ...type.example, [field]: value })).toEqual([]);
  });

  it('names all faults at once', () => {
    const { findFaults, example } = typeOf('task.completed');
    const paths = findFaults({ ...without(example, 'user_id'), xp_awarded: 'many' }).map(({ path }) => path);
    expect(paths).toEqual([['user_id'], ['xp_awarded']]);
  });

  it('that is no object at all is a fault of the whole', () => {
    for (const data of [undefined, null, 'text', 7, []]) {
      expect(typeOf('webhook.test').findFaults(data)).toMatchObject([{ path: [] }]);
    }
  });

  it('only because it has unknown fields fits: they are kept', () => {
    for (const { example, findFaults, jsonSchema } of EVENT_TYPES) {
      const data = { ...example, lms: { course: [1, 2] } };
      expect(findFaults(data)).toEqual([]);
      expect(z.fromJSONSchema(jsonSchema).safeParse(data).success).toBe(true);
    }
  });
});
