import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Once, once } from '../../src/accounts/idempotency.ts';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { newId } from '../../src/lib/ids.ts';
import { query } from '../support/database.ts';
import { openWorld, type World } from '../support/world.ts';

const ANSWER = z.object({ id: z.string(), secret: z.string() });
type Answer = z.infer<typeof ANSWER>;

let world: World;
let organizationId: string;
let done: number;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  organizationId = await world.createOrganization();
  done = 0;
});

type Asked = {
  readonly key?: string | undefined;
  readonly operation?: string;
  readonly input?: unknown;
  readonly viewer?: Partial<Viewer>;
  readonly act?: () => Promise<Answer>;
};

const act = async (): Promise<Answer> => {
  done += 1;
  return { id: newId(), secret: `whsec_${done}` };
};

function ask(asked: Asked = {}): Promise<Once<Answer>> {
  const context = world.context(organizationId, asked.viewer);
  const request = {
    operation: asked.operation ?? 'create',
    key: 'key' in asked ? asked.key : 'a',
    input: asked.input ?? { url: 'https://lms.example' },
    answer: ANSWER,
  };
  return context.write((unit) => once(unit, context, request, asked.act ?? act));
}

const rows = () =>
  query(world.database.ownerUrl, 'SELECT * FROM mutation_idempotency_keys WHERE organization_id = $1', [
    organizationId,
  ]);

describe('an act with an idempotency key', () => {
  it('is done once; who asks again is answered the same', async () => {
    const first = await ask();
    expect(first).toEqual({ answer: { id: expect.any(String), secret: 'whsec_1' }, deduplicated: false });
    expect(await ask()).toEqual({ ...first, deduplicated: true });
    expect(done).toBe(1);
  });

  it('is done each time without a key', async () => {
    await ask({ key: undefined });
    expect(await ask({ key: undefined })).toMatchObject({ deduplicated: false });
    expect(done).toBe(2);
    expect(await rows()).toEqual([]);
  });

  it.each<readonly [string, Asked]>([
    ['other input', { input: { url: 'https://other.example' } }],
    ['another operation', { operation: 'delete' }],
  ])('is refused with %s', async (_, change) => {
    await ask();
    await expect(ask(change)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/idempotency key was used for something else/),
    });
    expect(done).toBe(1);
  });

  it('does not mind the order of the input’s fields', async () => {
    await ask({ input: { a: 1, b: { c: 2, d: 3 } } });
    expect(await ask({ input: { b: { d: 3, c: 2 }, a: 1 } })).toMatchObject({ deduplicated: true });
  });

  it('is done once by twenty that ask at the same time: one does it, the others wait', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask()));
    expect(done).toBe(1);
    expect(new Set(answers.map(({ answer }) => answer.id)).size).toBe(1);
    expect(answers.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
  });

  it('that fails leaves the key free for the next try', async () => {
    const fail = async (): Promise<Answer> => {
      throw new Error('No.');
    };
    await expect(ask({ act: fail })).rejects.toThrow('No.');
    expect(await rows()).toEqual([]);
    expect(await ask()).toMatchObject({ deduplicated: false });
  });

  it('that fails lets one of those who waited do it', async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const failing = ask({
      act: async () => {
        begun.resolve();
        await go.promise;
        throw new Error('No.');
      },
    });
    await begun.promise;
    const waiting = ask();
    // It waits in the database; then the first one gives up.
    await expect
      .poll(() =>
        world.query(
          "SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        ),
      )
      .toEqual([{ waiting: 1 }]);
    go.resolve();
    await expect(failing).rejects.toThrow('No.');
    expect(await waiting).toMatchObject({ deduplicated: false, answer: { secret: 'whsec_1' } });
  });

  it('ends after 24 hours', async () => {
    const { answer } = await ask();
    world.clock.advance(86_400_000 - 1);
    expect(await ask()).toMatchObject({ answer, deduplicated: true });
    world.clock.advance(1);
    const again = await ask();
    expect(again.deduplicated).toBe(false);
    expect(await ask()).toEqual({ ...again, deduplicated: true });
  });

  it.each(['', 'x'.repeat(201), 'ä', 'a\0', 'a\nb'])('refuses the key %j', async (key) => {
    await expect(ask({ key })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: ['idempotency_key'] }],
    });
  });
});

describe('a key', () => {
  const ada = newId();

  it('is the own one of a client, of a person, and of a client that acts for a person', async () => {
    const holders: Partial<Viewer>[] = [
      {},
      { clientId: 'other' },
      { clientId: null, userId: ada, role: 'STUDENT', scopes: null },
      { userId: ada, role: 'STUDENT' },
      { clientId: null, userId: newId(), role: 'STUDENT', scopes: null },
    ];
    for (const viewer of holders) expect(await ask({ viewer })).toMatchObject({ deduplicated: false });
    for (const viewer of holders) expect(await ask({ viewer })).toMatchObject({ deduplicated: true });
    expect(done).toBe(holders.length);
  });

  it('is another one in another organization', async () => {
    await ask();
    organizationId = await world.createOrganization();
    expect(await ask()).toMatchObject({ deduplicated: false });
  });

  it('of one person cannot be read by another one, even by a query that forgets whose it is', async () => {
    await ask({ viewer: { userId: ada, role: 'ADMIN' } });
    const count = (userId: string | null) =>
      world
        .context(organizationId, { userId, role: 'ADMIN' })
        .read((tx) => tx.$queryRaw`SELECT count(*)::int AS count FROM mutation_idempotency_keys`);
    expect(await count(ada)).toEqual([{ count: 1 }]);
    expect(await count(newId())).toEqual([{ count: 0 }]);
    expect(await count(null)).toEqual([{ count: 0 }]);
  });

  it('is kept without anything of the answer or the input in clear', async () => {
    await ask({ input: { token: 'hunter2' } });
    const [row] = await rows();
    const kept = Buffer.concat([row?.['sealed_answer'] as Buffer, row?.['request_hash'] as Buffer]); // Columns of bytea.
    expect(kept.toString('latin1')).not.toMatch(/whsec|hunter2/);
    expect(JSON.stringify(row)).not.toContain('hunter2');
  });
});
