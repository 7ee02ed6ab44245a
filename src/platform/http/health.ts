/** Health for whoever starts and watches the process: `/healthz` says that it is alive, `/readyz` that it serves. */
import { Hono } from 'hono';

export type HealthDeps = {
  /** Resolves when the database has answered. */
  readonly pingDatabase: () => Promise<unknown>;
  /** Whether the database is at the state that this version needs. */
  readonly isMigrated: () => Promise<boolean>;
  /** Whether the process has begun to shut down. */
  readonly isStopping: () => boolean;
  /** How long a check may take; 1 s, if left out. */
  readonly timeoutMs?: number;
};

type CheckName = 'database' | 'migrations' | 'process';
type CheckResult = 'ok' | 'failed';

/** GET /healthz: 200 while the process answers. GET /readyz: 200, or 503 with the checks that failed. */
export function createHealthRoutes(deps: HealthDeps): Hono {
  const timeoutMs = deps.timeoutMs ?? 1_000;
  // A database that hangs gets one query of each check, however often it is asked.
  const database = withLimit(
    shared(async () => (await deps.pingDatabase(), true)),
    timeoutMs,
  );
  const migrations = withLimit(
    shared(async () => deps.isMigrated()),
    timeoutMs,
  );
  const app = new Hono();
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    const [databaseResult, migrationsResult] = await Promise.all([database(), migrations()]);
    const checks: Record<CheckName, CheckResult> = {
      database: databaseResult,
      migrations: migrationsResult,
      process: deps.isStopping() ? 'failed' : 'ok',
    };
    const isReady = Object.values(checks).every((result) => result === 'ok');
    return isReady
      ? c.json({ status: 'ready', checks })
      : c.json({ status: 'not_ready', checks }, 503, { 'Retry-After': '1' });
  });
  return app;
}

/** Joins a run that is still under way instead of starting another one. */
function shared(check: () => Promise<boolean>): () => Promise<boolean> {
  let running: Promise<boolean> | undefined;
  return () => {
    running ??= check().finally(() => {
      running = undefined;
    });
    return running;
  };
}

function withLimit(check: () => Promise<boolean>, timeoutMs: number): () => Promise<CheckResult> {
  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false);
    });
    // Why it failed is for the log of the database's pool; a probe needs to know that it did.
    const result = check().catch(() => false);
    return Promise.race([result, limit])
      .finally(() => clearTimeout(timer))
      .then((passed) => (passed ? 'ok' : 'failed'));
  };
}
