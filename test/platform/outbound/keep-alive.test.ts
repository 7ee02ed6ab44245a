import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { REQUEST, startOutbound, startRawReceiver, startReceiver } from './receiver.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe('connections that are kept alive (webhooks rule 10)', () => {
  it('are used again, and have no phases then', async () => {
    const receiver = await startReceiver();
    const outbound = startOutbound({ resolve: async () => ['127.0.0.1'] });
    const url = `http://hooks.example.test:${receiver.port}/`;
    const first = await outbound.post({ url, ...REQUEST });
    const second = await outbound.post({ url, ...REQUEST });
    expect(receiver.connections).toHaveLength(1);
    expect(first.timing).toEqual({
      dnsMs: expect.any(Number),
      connectMs: expect.any(Number),
      tlsMs: null,
      firstByteMs: expect.any(Number),
      totalMs: expect.any(Number),
    });
    expect(second.timing).toMatchObject({
      dnsMs: null,
      connectMs: null,
      tlsMs: null,
      firstByteMs: expect.any(Number),
    });
    const { dnsMs, connectMs, firstByteMs, totalMs } = first.timing;
    expect((dnsMs ?? 0) + (connectMs ?? 0) + (firstByteMs ?? 0)).toBeLessThanOrEqual(totalMs);
  });

  it('resolve nothing for a bare address', async () => {
    const receiver = await startReceiver();
    const result = await startOutbound().post({ url: receiver.url, ...REQUEST });
    expect(result.timing).toMatchObject({ dnsMs: null, connectMs: expect.any(Number) });
  });

  it('are as many as allowed for an origin; what comes beyond waits its turn', async () => {
    const receiver = await startReceiver((seen, response) => {
      setImmediate(() => response.end(seen.path));
    });
    const outbound = startOutbound({ connectionsPerOrigin: 2 });
    const url = (index: number) => `http://127.0.0.1:${receiver.port}/${index}`;
    const posts = Array.from({ length: 20 }, (_, index) => outbound.post({ url: url(index), ...REQUEST }));
    const results = await Promise.all(posts);
    expect(results.map((result) => result.kind === 'response' && result.body)).toEqual(
      Array.from({ length: 20 }, (_, index) => `/${index}`),
    );
    expect(receiver.connections).toHaveLength(2);
    expect(receiver.seen.map(({ path }) => path).toSorted()).toEqual(
      Array.from({ length: 20 }, (_, index) => `/${index}`).toSorted(),
    );
  });

  it('are not kept when the receiver says so', async () => {
    const receiver = await startReceiver(
      (_, response) => void response.setHeader('connection', 'close').end('ok'),
    );
    const outbound = startOutbound({ connectionsPerOrigin: 1 });
    const posts = Array.from({ length: 3 }, () => outbound.post({ url: receiver.url, ...REQUEST }));
    for (const result of await Promise.all(posts)) {
      expect(result).toMatchObject({ status: 200, timing: { connectMs: expect.any(Number) } });
    }
    expect(receiver.connections).toHaveLength(3);
  });

  it('give their place to what waits when they break', async () => {
    const receiver = await startRawReceiver((socket, index) => {
      if (index === 0) socket.destroy();
      else socket.write(OK);
    });
    const outbound = startOutbound({ connectionsPerOrigin: 1 });
    const posts = [
      outbound.post({ url: receiver.url, ...REQUEST }),
      outbound.post({ url: receiver.url, ...REQUEST }),
    ];
    expect(await Promise.all(posts)).toMatchObject([{ errorKind: 'reset' }, { status: 200 }]);
  });
});

describe('a receiver that closes a kept connection just as it is used again', () => {
  it('gets the request once more on a new connection', async () => {
    const receiver = await startRawReceiver((socket, index) => {
      if (index === 1) socket.destroy();
      else socket.write(OK);
    });
    const outbound = startOutbound();
    expect(await outbound.post({ url: receiver.url, ...REQUEST })).toMatchObject({ status: 200 });
    const second = await outbound.post({ url: receiver.url, ...REQUEST });
    expect(second).toMatchObject({ status: 200, timing: { connectMs: expect.any(Number) } });
    expect(receiver.seen.map(({ connection }) => connection)).toEqual([0, 0, 1]);
    expect(receiver.seen[2]?.body.toString()).toBe(receiver.seen[1]?.body.toString());
  });

  it('gets it once more and not twice', async () => {
    const receiver = await startRawReceiver((socket, index) => {
      if (index === 0) socket.write(OK);
      else socket.destroy();
    });
    const outbound = startOutbound();
    await outbound.post({ url: receiver.url, ...REQUEST });
    expect(await outbound.post({ url: receiver.url, ...REQUEST })).toMatchObject({ errorKind: 'reset' });
    expect(receiver.seen).toHaveLength(3);
  });

  it('does not get it again when a part of an answer came', async () => {
    const receiver = await startRawReceiver((socket, index) => {
      if (index === 0) socket.write(OK);
      else socket.end('HTTP/1.1 500 ');
    });
    const outbound = startOutbound();
    await outbound.post({ url: receiver.url, ...REQUEST });
    const second = await outbound.post({ url: receiver.url, ...REQUEST });
    expect(second).toMatchObject({ kind: 'error' });
    expect(receiver.seen).toHaveLength(2);
  });

  it('gets it within the same time limit', async () => {
    const receiver = await startRawReceiver((socket, index) => {
      if (index === 0) socket.write(OK);
      if (index === 1) setTimeout(() => socket.destroy(), 450);
    });
    const outbound = startOutbound({ timeoutMs: 500 });
    await outbound.post({ url: receiver.url, ...REQUEST });
    const start = performance.now();
    const timer = new Promise<number>((resolve) => {
      setTimeout(() => resolve(performance.now() - start), 500);
    });
    const second = await outbound.post({ url: receiver.url, ...REQUEST });
    expect(second).toMatchObject({ errorKind: 'timeout' });
    // A limit that started afresh with the second sending would end 450 ms later.
    expect(second.timing.totalMs - (await timer)).toBeLessThan(400);
    expect(receiver.seen).toHaveLength(3);
  });

  it('is connected to afresh when it closed the connection while it was idle', async () => {
    const receiver = await startRawReceiver((socket) => void socket.write(OK));
    const outbound = startOutbound();
    await outbound.post({ url: receiver.url, ...REQUEST });
    receiver.connections[0]?.destroy();
    await eventually(() => expect(receiver.connections[0]?.closed).toBe(true));
    expect(await outbound.post({ url: receiver.url, ...REQUEST })).toMatchObject({ status: 200 });
    expect(receiver.connections).toHaveLength(2);
  });
});
