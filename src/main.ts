/** Start and signals. */
import type { Server } from 'node:http';
import { flushCompileCache } from 'node:module';
import type { AddressInfo } from 'node:net';
import { announce } from './announce.ts';
import { type App, startApp } from './app.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { systemClock } from './lib/clock.ts';
import { AppError } from './lib/errors.ts';
import { boundHeap } from './platform/heap.ts';
import { createListener } from './platform/http/listener.ts';
import { createLog, type Log } from './platform/log.ts';
import { prepare } from './prepare.ts';

// Longer than an attempt may take, so that a stop in good order is never cut short.
const STOP_WITHIN_MS = 75_000;

await main();

async function main(): Promise<void> {
  try {
    const config = readConfig(process.env);
    boundHeap(config.role);
    const log = createLog({ level: config.logLevel, pretty: !config.production });
    await serve(config, log);
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof AppError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/** Listens first, so that a port in use stops the start before anything is touched; answers 503 until it is ready. */
async function serve(config: Config, log: Log): Promise<void> {
  const serving: { app?: App } = {};
  const listener = createListener({
    fetch: (request, peerAddress) => serving.app?.fetch(request, peerAddress) ?? notYet(),
    onError: (error) => log.error({ error }, 'a request failed before it was answered'),
    trustedProxies: config.trustedProxies,
  });
  const server = await listen(listener, config);
  const { port } = server.address() as AddressInfo; // It listens on a port, not on a socket file.
  const publicUrl = config.publicUrl ?? `http://localhost:${port}`;
  const prepared = await prepare({ config, log, clock: systemClock, port });
  const app = await startApp({ config, log, clock: systemClock, prepared, publicUrl });
  serving.app = app;
  app.attach(server);
  stopOnSignal(log, async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    await app.stop();
    server.closeAllConnections();
    await closed;
    await prepared.stop();
  });
  // Last: who reads that it is ready may stop it at once.
  announce({ config, log, port, publicUrl, prepared });
  // At an end in good order Node would do it by itself; who is killed has left it for the next start.
  flushCompileCache();
}

function notYet(): Response {
  return new Response('Starting.\n', { status: 503, headers: { 'retry-after': '1' } });
}

function listen(server: Server, { host, port }: Config): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explainListen(error, host, port)));
    server.listen(port, host, () => resolve(server));
  });
}

function explainListen(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new AppError(
      'CONFLICT',
      `Port ${port} on ${host} is in use by another program; set PORT to a free one.`,
    );
  }
  return new AppError(
    'UNAVAILABLE',
    `Cannot listen on ${host}:${port} (${error.message}); set HOST and PORT.`,
  );
}

/** The first signal stops in good order; a second one, or too long a stop, ends at once. */
function stopOnSignal(log: Log, stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (signal: string): void => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, 'stopping: what is in flight is finished');
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
