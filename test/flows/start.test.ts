import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createDataDirectory,
  type DataDirectory,
  type Environment,
  runServer,
  startServer,
} from '../support/server.ts';

let data: DataDirectory;
let occupied: Server;
let port: string;

beforeAll(async () => {
  data = await createDataDirectory();
  occupied = createServer();
  await once(occupied.listen(0, '127.0.0.1'), 'listening');
  port = String((occupied.address() as AddressInfo).port); // It listens on a port.
});

afterAll(async () => {
  occupied.close();
  await data.remove();
});

/** What a server says that does not start. */
async function refusalOf(environment: Environment): Promise<string> {
  const server = runServer({ DATA_DIR: data.path, PORT: '0', DEMO: '0', ...environment });
  expect(await server.exited).toEqual({ code: 1, signal: null });
  expect(server.output()).not.toMatch(/^\s+at /m);
  return server.output();
}

describe('a start that cannot succeed ends with code 1 and says why, without a stack', () => {
  it('when another program has the port', async () => {
    const said = await refusalOf({ PORT: port });
    expect(said).toContain(`Port ${port} on 127.0.0.1 is in use`);
    expect(said).toContain('set PORT');
  });

  it('when another server has the data directory', async () => {
    const first = await startServer({ DATA_DIR: data.path });
    try {
      const said = await refusalOf({});
      expect(said).toContain(data.path);
      expect(said).toContain(String(first.pid));
      expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
    } finally {
      await first.stop();
    }
  });

  it('when settings are wrong: all of them in one message', async () => {
    const said = await refusalOf({ PORT: 'http', ROLE: 'scheduler', WEBHOOK_RETRY_SECONDS: 'soon' });
    for (const name of ['PORT', 'ROLE', 'WEBHOOK_RETRY_SECONDS'])
      expect(said).toContain(`\n  ${name}: expected `);
  });

  it('when nothing listens at DATABASE_URL', async () => {
    const said = await refusalOf({ DATABASE_URL: 'postgres://optio:tops3cr3t@127.0.0.1:1/optio' });
    expect(said).toContain('127.0.0.1:1');
    expect(said).toContain('DATABASE_URL');
    expect(said).not.toContain('tops3cr3t');
  });

  it('when what listens at DATABASE_URL is no PostgreSQL', async () => {
    const refusing = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await once(refusing.listen(0, '127.0.0.1'), 'listening');
    const { port: other } = refusing.address() as AddressInfo; // It listens on a port.
    const said = await refusalOf({ DATABASE_URL: `postgres://optio:tops3cr3t@127.0.0.1:${other}/optio` });
    refusing.close();
    expect(said).toContain('DATABASE_URL');
    expect(said).not.toContain('tops3cr3t');
  });
});
