import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dial } from '../../../src/platform/outbound/dial.ts';
import { listen, REQUEST, startOutbound, startReceiver } from './receiver.ts';

const patience = () => AbortSignal.timeout(10_000);

/** A port of loopback where nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  await new Promise((done) => server.close(done));
  return port;
}

describe('dial', () => {
  it('goes to the next address when one refuses', async () => {
    const port = await listen(createServer());
    const socket = await dial(['127.0.0.2', '127.0.0.3', '127.0.0.1'], port, patience());
    onTestFinished(() => void socket.destroy());
    expect(socket.remoteAddress).toBe('127.0.0.1');
  });

  it('takes the first address when all accept', async () => {
    const first = createServer();
    const port = await listen(first);
    await listen(createServer(), '127.0.0.2', port);
    const socket = await dial(['127.0.0.2', '127.0.0.1'], port, patience());
    onTestFinished(() => void socket.destroy());
    expect(socket.remoteAddress).toBe('127.0.0.2');
  });

  it('tries both families in turn, so that a broken one does not hold up the other', async () => {
    const port = await listen(createServer());
    // Eight at most are tried: the one that accepts is the tenth of the list, but the first of its family.
    const unreachable = Array.from({ length: 9 }, (_, index) => `100::${index + 1}`);
    const socket = await dial([...unreachable, '127.0.0.1'], port, patience());
    onTestFinished(() => void socket.destroy());
    expect(socket.remoteAddress).toBe('127.0.0.1');
  });

  it('says why when none accepts', async () => {
    const port = await closedPort();
    await expect(dial(['127.0.0.1', '127.0.0.2'], port, patience())).rejects.toMatchObject({
      kind: 'connect',
      message: 'The receiver refused the connection.',
    });
  });

  it('stops when it is told to', async () => {
    const port = await listen(createServer());
    await expect(dial(['127.0.0.1'], port, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    const abort = new AbortController();
    const dialled = dial(['127.0.0.1'], port, abort.signal);
    abort.abort(new Error('enough'));
    await expect(dialled).rejects.toThrow('enough');
  });
});

describe('a receiver that cannot be reached', () => {
  it('is a connect error', async () => {
    const port = await closedPort();
    const result = await startOutbound().post({ url: `http://127.0.0.1:${port}/`, ...REQUEST });
    expect(result).toMatchObject({
      kind: 'error',
      errorKind: 'connect',
      message: 'The receiver refused the connection.',
      timing: { connectMs: null, firstByteMs: null },
    });
  });

  it('because it hangs up at once may be tried again later: it is not a closed address', async () => {
    const server = createServer((socket) => void socket.resetAndDestroy());
    const port = await listen(server);
    const outbound = startOutbound();
    const posts = Array.from({ length: 50 }, () =>
      outbound.post({ url: `http://127.0.0.1:${port}/`, ...REQUEST }),
    );
    const kinds = (await Promise.all(posts)).map((result) => result.kind === 'error' && result.errorKind);
    expect(kinds.filter((kind) => kind !== 'reset' && kind !== 'connect')).toEqual([]);
  });

  it('at one of its addresses is reached at another', async () => {
    const receiver = await startReceiver();
    const outbound = startOutbound({ resolve: async () => ['127.0.0.2', '127.0.0.1'] });
    const result = await outbound.post({ url: `http://hooks.example.test:${receiver.port}/`, ...REQUEST });
    expect(result).toMatchObject({ status: 200 });
  });
});
