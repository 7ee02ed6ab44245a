import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPool } from '../../src/platform/database/pool.ts';
import { openCutOff } from '../support/cut-off.ts';
import {
  appendLines,
  openStreamBench,
  type StreamBench,
  takeNumbers,
  takeUpdates,
  untilReady,
} from '../support/update-log.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let bench: StreamBench;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  bench = await openStreamBench(world);
});
afterEach(() => bench.close());

describe('who may listen (webhooks rule 39)', () => {
  it('never tells of another organization, live or from a cursor', async () => {
    const other = await world.createOrganization();
    const { stream, cursor } = await bench.live();
    const theirs = world.updates.subscribe(world.context(other).viewer, {});
    const theirCursor = await untilReady(theirs);
    for (const number of [1, 2, 3]) {
      await bench.append(number, number);
      await appendLines(world, other, { from: 100 + number, to: 100 + number });
    }
    expect(await takeNumbers(stream, 3)).toEqual([1, 2, 3]);
    expect(await takeNumbers(theirs, 3)).toEqual([101, 102, 103]);
    // A cursor is a place, not a right.
    const resumed = await takeUpdates(bench.open({ after: theirCursor }), 3);
    expect(resumed.map((update) => update.organizationId)).toEqual([
      bench.organizationId,
      bench.organizationId,
      bench.organizationId,
    ]);
    expect(await takeNumbers(bench.open({ after: cursor }), 3)).toEqual([1, 2, 3]);
    await theirs.return?.();
  });

  it('refuses a token without read:webhooks, and names the scope', () => {
    expect(() => bench.open({}, bench.viewer({ scopes: ['read:events'] }))).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN', requiredScope: 'read:webhooks' }),
    );
  });

  it.each(['STUDENT', 'EDUCATOR'] as const)('refuses a session of a %s', (role) => {
    expect(() => bench.open({}, bench.viewer({ role, scopes: null, clientId: null }))).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN' }),
    );
  });

  it('knows no other organization', async () => {
    const other = await world.createOrganization();
    expect(() => bench.open({ organizationId: other })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
    await bench.live({ organizationId: bench.organizationId });
  });

  it('ends the stream of a token that was revoked, at once though it waits, and no other', async () => {
    const updates = bench.otherProcess({ validityMs: 5 });
    const who = bench.viewer();
    const { stream } = await bench.live({}, who, updates);
    const { stream: stays } = await bench.live({}, bench.viewer(), updates);
    const waiting = stream.next();
    world.revoked.add(who);
    await expect(waiting).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(updates.subscriberCount()).toBe(1);
    await bench.append(1, 1);
    expect(await takeNumbers(stays, 1)).toEqual([1]);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    await updates.close();
  });

  it('ends the stream when its token expires', async () => {
    const expiresAt = new Date(world.clock.now().getTime() + 20);
    const { stream } = await bench.live({}, bench.viewer({ expiresAt }));
    await expect(stream.next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(world.updates.subscriberCount()).toBe(0);
  });

  it('does not let a consumer that is behind read on with a token that expired', async () => {
    const updates = bench.otherProcess({ validityMs: 5 });
    const who = bench.viewer();
    const { stream } = await bench.live({}, who, updates);
    const { stream: quick } = await bench.live({}, bench.viewer(), updates);
    await bench.append(1, 6_000);
    await takeNumbers(quick, 6_000);
    world.revoked.add(who);
    await expect(takeNumbers(stream, 6_000)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await updates.close();
  });
});

describe('the end of a stream', () => {
  it('frees the subscriber at once when it returns while it waits', async () => {
    const { stream } = await bench.live();
    expect(world.updates.subscriberCount()).toBe(1);
    const waiting = stream.next();
    await stream.return?.();
    expect(world.updates.subscriberCount()).toBe(0);
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it('frees it when it returns before it is ready, or was never read', async () => {
    const joining = bench.open();
    const first = joining.next();
    await joining.return?.();
    await first;
    await bench.open().return?.();
    expect(world.updates.subscriberCount()).toBe(0);
  });

  it('frees it when the loop that reads it breaks off', async () => {
    const stream = world.updates.subscribe(bench.viewer(), {});
    for await (const item of stream) {
      expect(item.kind).toBe('ready');
      break;
    }
    expect(world.updates.subscriberCount()).toBe(0);
  });

  it('comes to all streams when the server stops, and says that they may come back', async () => {
    const updates = bench.otherProcess();
    const { stream } = await bench.live({}, bench.viewer(), updates);
    await Promise.all([
      expect(stream.next()).rejects.toMatchObject({ code: 'UNAVAILABLE' }),
      updates.close(),
    ]);
    expect(updates.subscriberCount()).toBe(0);
  });

  it('comes to one that is only being opened, too, and nothing is opened after it', async () => {
    const updates = bench.otherProcess();
    const opening = bench.open({}, bench.viewer(), updates).next();
    const closed = updates.close();
    await expect(opening).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await closed;
    expect(() => updates.subscribe(bench.viewer(), {})).toThrow(
      expect.objectContaining({ code: 'UNAVAILABLE' }),
    );
    expect(updates.subscriberCount()).toBe(0);
  });

  it('is no riddle when the database is away: come back', async () => {
    const { urls } = world.database;
    const cutOff = await openCutOff(urls.workerUrl);
    const pool = createPool({ url: cutOff.url, maxConnections: 2, onIdleError: () => undefined });
    const updates = bench.otherProcess({ pool, onError: () => undefined });
    const { stream, cursor } = await bench.live({}, bench.viewer(), updates);
    await cutOff.cut();
    const behind = bench.open({ after: cursor }, bench.viewer(), updates);
    await expect(behind.next()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    // One that is live waits, and goes on.
    const next = takeNumbers(stream, 1);
    await bench.append(1, 1);
    await cutOff.restore();
    expect(await next).toEqual([1]);
    await updates.close();
    await pool.end();
    await cutOff.cut();
  });
});
