/** The address guard over real answers of a real name server (webhooks rules 10, 18, 27 to 29 and 35). */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseCidrs } from '../../../src/platform/ip-range.ts';
import { resolveOpen } from '../../../src/platform/outbound/resolve.ts';
import { createResolver, type ResolverOptions } from '../../../src/platform/outbound/resolver.ts';
import { BLOCKED_ADDRESS_MESSAGE } from '../../../src/platform/outbound/target-url.ts';
import { type NameServer, type Question, type Records, startNameServer } from '../../support/name-server.ts';
import { REQUEST, startOutbound, startReceiver } from './receiver.ts';

const BLOCKED = { kind: 'error', errorKind: 'blocked_address', message: BLOCKED_ADDRESS_MESSAGE };
const ONE = parseCidrs('127.0.0.1');
const nobody = async () => Promise.reject(Object.assign(new Error('Nobody knows.'), { code: 'ENOTFOUND' }));

/** A name server for the length of a test, and a resolver that asks it and nobody else. */
async function start(
  records: (question: Question) => Records,
  options: ResolverOptions = {},
): Promise<{ readonly server: NameServer; readonly resolve: ReturnType<typeof createResolver> }> {
  const server = await startNameServer(records);
  onTestFinished(() => server.close());
  const resolve = createResolver({ servers: [server.address], system: nobody, hostsFile: '', ...options });
  return { server, resolve };
}

describe('a name with a closed address, as its name server answers it', () => {
  it.each([
    '0.0.0.0',
    '10.0.0.0',
    '10.255.255.255',
    '100.64.0.0',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.0.1',
    '169.254.169.254',
    '172.16.0.0',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.0.0',
    '192.168.255.255',
    '198.18.0.0',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
  ])('is refused: %s (rule 27)', async (address) => {
    const { resolve } = await start(() => [address]);
    await expect(resolveOpen('hooks.example.test', resolve, [])).rejects.toMatchObject({
      kind: 'blocked_address',
    });
  });

  it.each([
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.88.98.255',
    '192.88.100.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
  ])('is let through beside it: %s (rule 27)', async (address) => {
    const { resolve } = await start(() => [address]);
    expect(await resolveOpen('hooks.example.test', resolve, [])).toEqual([address]);
  });

  it.each([
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:1.1.1.1',
    '64:ff9b::101:101',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:1ff::1',
    '2001:db8::1',
    '2002:101:101::1',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fec0::1',
    'ff02::1',
  ])('is refused: %s (rule 28)', async (address) => {
    const { resolve } = await start(() => [address]);
    await expect(resolveOpen('hooks.example.test', resolve, [])).rejects.toMatchObject({
      kind: 'blocked_address',
    });
  });

  it.each(['2000::1', '2001:200::1', '2003::1', '2606:4700:4700::1111', '3ffe:ffff::1'])(
    'is let through beside it: %s (rule 28)',
    async (address) => {
      const { resolve } = await start(() => [address]);
      expect(await resolveOpen('hooks.example.test', resolve, [])).toEqual([address]);
    },
  );

  it.each([
    ['behind another name', { alias: 'inside.example.test', addresses: ['127.0.0.1'] }],
    ['the last of several', ['1.1.1.1', '8.8.8.8', '10.0.0.1']],
    ['the first of several', ['169.254.169.254', '1.1.1.1']],
    ['of the other family', ['1.1.1.1', '::1']],
    ['of the other family, the other way round', ['2606:4700::1', '127.0.0.1']],
  ] as const)('is refused as a whole: %s (rule 29)', async (_, records) => {
    const receiver = await startReceiver();
    const { resolve } = await start(() => records);
    const outbound = startOutbound({ allow: [], resolve });
    const url = `http://hooks.example.test:${receiver.port}/`;
    expect(await outbound.post({ url, ...REQUEST })).toMatchObject(BLOCKED);
    expect(receiver.connections).toEqual([]);
  });

  it('looks the same whether something listens there or not (rule 35)', async () => {
    const receiver = await startReceiver();
    const { resolve } = await start(() => ['127.0.0.1']);
    const outbound = startOutbound({ allow: [], resolve });
    const ask = async (port: number) => {
      const { timing, ...result } = await outbound.post({
        url: `http://hooks.example.test:${port}/`,
        ...REQUEST,
      });
      return { ...result, dialled: timing.connectMs };
    };
    expect(await ask(receiver.port)).toEqual({ ...BLOCKED, dialled: null });
    expect(await ask(1_024)).toEqual(await ask(receiver.port));
  });
});

describe('a name that changes its addresses (DNS rebinding)', () => {
  it('is asked for again by each connection, and refused from the first closed answer on (rule 29)', async () => {
    const receiver = await startReceiver(
      (_, response) => void response.setHeader('connection', 'close').end('ok'),
    );
    const { server, resolve } = await start(({ index, type }) =>
      type === 'AAAA' ? [] : [index === 0 ? '127.0.0.1' : '127.0.0.2'],
    );
    const outbound = startOutbound({ allow: ONE, resolve });
    const url = `http://rebind.example.test:${receiver.port}/`;
    expect(await outbound.post({ url, ...REQUEST })).toMatchObject({ status: 200 });
    expect(await outbound.post({ url, ...REQUEST })).toMatchObject(BLOCKED);
    expect(receiver.connections).toHaveLength(1);
    expect(server.asked.filter(({ type }) => type === 'A')).toHaveLength(2);
  });

  it('does not move a connection that is kept alive: it stays with the address that was checked (rule 10)', async () => {
    const receiver = await startReceiver();
    const { server, resolve } = await start(({ index, type }) =>
      type === 'AAAA' ? [] : [index === 0 ? '127.0.0.1' : '127.0.0.2'],
    );
    const outbound = startOutbound({ allow: ONE, resolve });
    const url = `http://rebind.example.test:${receiver.port}/`;
    for (const _ of [1, 2, 3])
      expect(await outbound.post({ url, ...REQUEST })).toMatchObject({ status: 200 });
    expect(receiver.connections.map(({ localAddress }) => localAddress)).toEqual(['127.0.0.1']);
    expect(server.asked.filter(({ type }) => type === 'A')).toHaveLength(1);
  });
});

describe('name servers', () => {
  it('that are dead for one name do not hold up others, however many ask for it (rule 18)', async () => {
    const { resolve } = await start(({ name }) => (name.startsWith('dead') ? 'silent' : ['1.1.1.1']));
    const failed: string[] = [];
    // Far more than the process has threads, on which the system's resolver would wait for them.
    for (let index = 0; index < 64; index++) {
      const name = `dead${index}.example.test`;
      resolve(name).catch(() => failed.push(name));
    }
    expect(await resolve('alive.example.test')).toEqual(['1.1.1.1']);
    // None of the others is over: their time had not come.
    expect(failed).toEqual([]);
  });

  it.each([
    ['silent', 'The name server did not answer for hooks.example.test.'],
    ['servfail', 'The name server did not answer for hooks.example.test.'],
    ['malformed', 'The name hooks.example.test does not resolve to an address.'],
    ['nxdomain', 'The name hooks.example.test does not resolve to an address.'],
    [[], 'The name hooks.example.test does not resolve to an address.'],
  ] as const)('that answer %j are a dns error, and nothing is dialled', async (records, message) => {
    const { resolve } = await start(() => records, { timeoutMs: 100 });
    const outbound = startOutbound({ resolve, timeoutMs: 20_000 });
    const result = await outbound.post({ url: 'http://hooks.example.test/', ...REQUEST });
    expect(result).toMatchObject({ errorKind: 'dns', message, timing: { connectMs: null } });
  });

  it('that know one family alone are enough', async () => {
    const { resolve } = await start(({ type }) => (type === 'A' ? 'servfail' : ['2606:4700::1']));
    expect(await resolve('six.example.test')).toEqual(['2606:4700::1']);
    const four = await start(({ type }) => (type === 'A' ? ['1.1.1.1'] : 'nxdomain'));
    expect(await four.resolve('four.example.test')).toEqual(['1.1.1.1']);
  });

  it('that do not know a name leave it to the system, two names at a time', async () => {
    const asked: string[] = [];
    const release = Promise.withResolvers<void>();
    const { resolve } = await start(() => 'nxdomain', {
      system: async (hostname) => {
        asked.push(hostname);
        await release.promise;
        return ['10.1.2.3'];
      },
    });
    const names = ['a', 'b', 'c', 'd'].map((name) => resolve(name));
    await expect.poll(() => asked).toHaveLength(2);
    release.resolve();
    expect(await Promise.all(names)).toEqual(names.map(() => ['10.1.2.3']));
    expect(asked).toHaveLength(4);
  });
});

describe('the hosts file', () => {
  it('counts before any name server, with all addresses of a name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'optio-hosts-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const hostsFile = join(folder, 'hosts');
    await writeFile(hostsFile, '# here\n10.0.0.7  LMS.internal lms # and there\n::7 lms\nnot-an-address x\n');
    const { server, resolve } = await start(() => ['1.1.1.1'], { hostsFile });
    expect(await resolve('lms.internal')).toEqual(['10.0.0.7']);
    expect(await resolve('lms')).toEqual(['10.0.0.7', '::7']);
    expect(server.asked).toEqual([]);
    expect(await resolve('x')).toEqual(['1.1.1.1']);
  });

  it('is not needed for localhost', async () => {
    const { resolve } = await start(() => ['1.1.1.1'], { hostsFile: '/nowhere/hosts' });
    expect(await resolve('localhost')).toEqual(['127.0.0.1', '::1']);
  });
});
