import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { call, startServer, type TestServer } from './support.ts';

const PATH = '/api/webhooks/subscriptions';
const TARGET = 'https://lms.example.com/hooks/optio';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
beforeEach(() => server.sql('DELETE FROM webhook_subscriptions'));

async function create(token: string, body: object = {}): Promise<{ id: string }> {
  const answer = await call(server, `POST ${PATH}`, {
    token,
    body: { target_url: TARGET, event_type: '*', ...body },
  });
  expect(answer.status).toBe(201);
  return answer.body as { id: string }; // Checked where it is created.
}

describe('GET /api/webhooks/subscriptions', () => {
  it('pages through 45 of them, complete and once each, while some are deleted', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 45; index += 1) ids.push((await create('north')).id);
    const newestFirst = ids.toReversed();

    const first = await page('');
    expect(first.ids).toEqual(newestFirst.slice(0, 20));
    // The one that the cursor points to, and the first two of the next page.
    for (const id of newestFirst.slice(19, 22))
      await call(server, `DELETE ${PATH}/${id}`, { token: 'north' });

    const second = await page(`?cursor=${first.cursor}`);
    expect(second.ids).toEqual(newestFirst.slice(22, 42));
    const third = await page(`?cursor=${second.cursor}`);
    expect(third).toEqual({ ids: newestFirst.slice(42), cursor: null });
  });

  it('says that there is no next page when the last one is just full', async () => {
    await create('north');
    await create('north');
    expect((await page('?limit=2')).cursor).toBeNull();
    expect((await page('?limit=1')).cursor).toEqual(expect.any(String));
  });

  it('filters by event type (those of all types too) and by state', async () => {
    const quests = await create('north', { event_type: 'quest.completed' });
    const all = await create('north');
    await create('north', { event_type: 'badge.earned' });
    await call(server, `PUT ${PATH}/${all.id}`, { token: 'north', body: { active: false } });
    expect((await page('?event_type=quest.completed')).ids).toEqual([all.id, quests.id]);
    expect((await page('?event_type=quest.completed&active=true')).ids).toEqual([quests.id]);
    expect((await page('?active=false')).ids).toEqual([all.id]);
  });

  it.each([
    ['limit=101', 'limit'],
    ['limit=0', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=5&limit=6', 'limit'],
    ['cursor=nonsense', 'cursor'],
    ['cursor=AgGasMR9HnxanwArj28NahE', 'cursor'],
    ['active=yes', 'active'],
    ['event_type=quest.lost', 'event_type'],
    ['event_type=%00', 'event_type'],
    ['actve=true', 'actve'],
  ])('refuses ?%s with 422, naming %s', async (search, path) => {
    const answer = await call(server, `GET ${PATH}?${search}`, { token: 'north' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path }] } });
  });
});

async function page(search: string): Promise<{ ids: string[]; cursor: string | null }> {
  const { status, body } = await call(server, `GET ${PATH}${search}`, { token: 'north' });
  expect(status).toBe(200);
  const list = body as { data: { id: string }[]; next_cursor: string | null }; // The shape is under test.
  return { ids: list.data.map(({ id }) => id), cursor: list.next_cursor };
}
