import { describe, expect, it } from 'vitest';
import { createHealthRoutes, type HealthDeps } from '../../../src/platform/http/health.ts';

const HEALTHY: HealthDeps = {
  pingDatabase: async () => undefined,
  isMigrated: async () => true,
  isStopping: () => false,
};
const never = () => new Promise<never>(() => undefined);

const throws = () => {
  throw new Error('closed');
};

async function get(path: string, deps: Partial<HealthDeps> = {}) {
  const response = await createHealthRoutes({ ...HEALTHY, ...deps }).request(path);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

describe('GET /healthz', () => {
  it('answers 200 while the process lives, whatever else fails', async () => {
    const failing = { pingDatabase: () => Promise.reject(new Error('away')), isStopping: () => true };
    expect(await get('/healthz', failing)).toMatchObject({ status: 200, body: { status: 'ok' } });
  });
});

describe('GET /readyz', () => {
  it('answers 200 when the server serves', async () => {
    expect(await get('/readyz')).toMatchObject({
      status: 200,
      body: { status: 'ready', checks: { database: 'ok', migrations: 'ok', process: 'ok' } },
    });
  });

  it.each<[string, Partial<HealthDeps>, object]>([
    [
      'the database refuses',
      { pingDatabase: () => Promise.reject(new Error('password')) },
      { database: 'failed' },
    ],
    ['the database does not answer in time', { pingDatabase: never, timeoutMs: 5 }, { database: 'failed' }],
    ['migrations are missing', { isMigrated: async () => false }, { migrations: 'failed' }],
    ['migrations cannot be looked up', { isMigrated: never, timeoutMs: 5 }, { migrations: 'failed' }],
    ['the process is stopping', { isStopping: () => true }, { process: 'failed' }],
  ])('answers 503 with the check that failed when %s', async (_, deps, failed) => {
    const answer = await get('/readyz', deps);
    expect(answer).toMatchObject({ status: 503 });
    expect(answer.body).toEqual({
      status: 'not_ready',
      checks: { database: 'ok', migrations: 'ok', process: 'ok', ...failed },
    });
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  it('survives a check that throws at once', async () => {
    expect(await get('/readyz', { pingDatabase: throws, isMigrated: throws })).toMatchObject({
      status: 503,
      body: { checks: { database: 'failed', migrations: 'failed' } },
    });
  });

  it('asks a database that hangs only once, however often it is probed, and again when it is back', async () => {
    const pings: (() => void)[] = [];
    const app = createHealthRoutes({
      ...HEALTHY,
      pingDatabase: () => new Promise<void>((resolve) => void pings.push(resolve)),
      timeoutMs: 5,
    });
    const probe = async () => (await app.request('/readyz')).status;
    expect(await Promise.all([probe(), probe()])).toEqual([503, 503]);
    expect(await probe()).toBe(503);
    expect(pings).toHaveLength(1);

    pings[0]?.();
    const next = probe();
    expect(await next).toBe(200);
  });
});
