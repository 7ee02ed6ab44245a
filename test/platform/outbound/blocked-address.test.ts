import { describe, expect, it, vi } from 'vitest';
import { parseCidrs } from '../../../src/platform/ip-range.ts';
import type { Resolve } from '../../../src/platform/outbound/resolve.ts';
import { BLOCKED_ADDRESS_MESSAGE } from '../../../src/platform/outbound/target-url.ts';
import { REQUEST, startOutbound, startReceiver } from './receiver.ts';

const BLOCKED = { kind: 'error', errorKind: 'blocked_address', message: BLOCKED_ADDRESS_MESSAGE };
/** One address of loopback is open here, all others are closed. */
const ONE = parseCidrs('127.0.0.1');

describe('closed addresses (webhooks rules 27 to 29)', () => {
  it('are not dialled, whether they stand in the URL or behind a name', async () => {
    const receiver = await startReceiver();
    const outbound = startOutbound({ allow: [], resolve: async () => ['127.0.0.1'] });
    for (const host of ['127.0.0.1', '2130706433', 'localhost', 'hooks.example.test', '[::ffff:127.0.0.1]']) {
      expect(await outbound.post({ url: `http://${host}:${receiver.port}/`, ...REQUEST })).toMatchObject(
        BLOCKED,
      );
    }
    expect(receiver.connections).toEqual([]);
  });

  it.each([
    ['first', ['127.0.0.2', '127.0.0.1']],
    ['last', ['127.0.0.1', '169.254.169.254']],
    ['in a form nobody knows', ['127.0.0.1', 'fe80::1%lo']],
  ])('are refused with all the others of the name: %s', async (_, addresses) => {
    const receiver = await startReceiver();
    const outbound = startOutbound({ allow: ONE, resolve: async () => addresses });
    const result = await outbound.post({ url: `http://hooks.example.test:${receiver.port}/`, ...REQUEST });
    expect(result).toMatchObject(BLOCKED);
    expect(receiver.connections).toEqual([]);
  });

  it('give the same answer for open and closed ports (rule 35)', async () => {
    const receiver = await startReceiver();
    const outbound = startOutbound({ allow: [], resolve: async () => ['127.0.0.1'] });
    const ask = async (port: number) => {
      const { timing, ...result } = await outbound.post({
        url: `http://hooks.example.test:${port}/`,
        ...REQUEST,
      });
      return { ...result, dialled: timing.connectMs };
    };
    const [open, closed] = [await ask(receiver.port), await ask(1024)];
    expect(open).toEqual({ ...BLOCKED, dialled: null });
    expect(closed).toEqual(open);
  });

  it('are not reached by a name that changes its addresses after the check (DNS rebinding)', async () => {
    const receiver = await startReceiver(
      (_, response) => void response.setHeader('connection', 'close').end('ok'),
    );
    const resolve = vi.fn<Resolve>(async () => ['127.0.0.2']).mockResolvedValueOnce(['127.0.0.1']);
    const outbound = startOutbound({ allow: ONE, resolve });
    const url = `http://hooks.example.test:${receiver.port}/`;
    expect(await outbound.post({ url, ...REQUEST })).toMatchObject({ status: 200 });
    expect(await outbound.post({ url, ...REQUEST })).toMatchObject(BLOCKED);
    expect(receiver.connections).toHaveLength(1);
  });

  it('do not matter to a connection that is kept alive: it goes on to the address that was checked (rule 10)', async () => {
    const receiver = await startReceiver();
    const resolve = vi.fn<Resolve>(async () => ['127.0.0.2']).mockResolvedValueOnce(['127.0.0.1']);
    const outbound = startOutbound({ allow: ONE, resolve });
    const url = `http://hooks.example.test:${receiver.port}/`;
    for (const _ of [1, 2, 3])
      expect(await outbound.post({ url, ...REQUEST })).toMatchObject({ status: 200 });
    expect(resolve).toHaveBeenCalledTimes(1);
    expect(receiver.connections.map(({ localAddress }) => localAddress)).toEqual(['127.0.0.1']);
  });

  it('are refused at once and not again and again', async () => {
    const resolve = vi.fn<Resolve>(async () => ['10.0.0.1']);
    const outbound = startOutbound({ resolve });
    expect(await outbound.post({ url: 'http://hooks.example.test/', ...REQUEST })).toMatchObject(BLOCKED);
    expect(resolve).toHaveBeenCalledTimes(1);
  });
});

const failing = async () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));

describe('names', () => {
  it('that do not resolve are a dns error', async () => {
    for (const resolve of [failing, async () => []]) {
      const result = await startOutbound({ resolve }).post({ url: 'http://hooks.example.test/', ...REQUEST });
      expect(result).toMatchObject({
        errorKind: 'dns',
        message: 'The name hooks.example.test does not resolve to an address.',
        timing: { connectMs: null },
      });
    }
  });

  it('are asked for once when many connections are made at the same time', async () => {
    const receiver = await startReceiver();
    const resolve = vi.fn<Resolve>(async () => ['127.0.0.1']);
    const outbound = startOutbound({ resolve });
    const url = `http://hooks.example.test:${receiver.port}/`;
    await Promise.all(Array.from({ length: 10 }, () => outbound.post({ url, ...REQUEST })));
    expect(receiver.connections.length).toBeGreaterThan(1);
    expect(resolve).toHaveBeenCalledTimes(1);
  });

  it('of this machine are resolved by the system', async () => {
    const receiver = await startReceiver();
    const outbound = startOutbound();
    const result = await outbound.post({ url: `http://localhost:${receiver.port}/`, ...REQUEST });
    expect(result).toMatchObject({ status: 200, timing: { dnsMs: expect.any(Number) } });
  });
});
