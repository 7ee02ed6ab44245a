/**
 * From a name to its addresses without the operating system's resolver, which answers on one of few threads that all of
 * the process shares: names of one tenant whose name servers are dead would hold up everybody's (webhooks rule 18,
 * docs/adr/0047). The name servers of the machine are asked directly; the system is asked for what they do not know, a
 * few names at a time.
 */
import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { createGate } from '../../lib/gate.ts';
import { codeOf } from './failure.ts';
import { type Resolve, systemResolve } from './resolve.ts';

export type ResolverOptions = {
  /** `address:port` of the name servers; those of the machine, if left out. */
  readonly servers?: readonly string[];
  /** How long a name server has at the first try; further ones have longer. 1 s, if left out. */
  readonly timeoutMs?: number;
  /** Names that the machine knows by itself, in the form of hosts(5); /etc/hosts, if left out. */
  readonly hostsFile?: string;
  /** Asked for what the name servers do not know: search domains, multicast DNS and the like. */
  readonly system?: Resolve;
};

const TIMEOUT_MS = 1_000;
const MAX_TIMEOUT_MS = 2_000;
/** As many as an attempt has time for. c-ares waits less for a server that was quick before, though a name may be slow. */
const TRIES = 4;
/** The machine's name servers and its hosts file are read again after so long. */
const REFRESH_MS = 30_000;
/** The process has four threads for this, which read files and hash passwords, too. */
const SYSTEM_GATE = { maxRunning: 2, maxWaiting: 100 } as const;
/** That there is no such name, or that it has no addresses. */
const UNKNOWN: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

/** Gives all addresses of a name, IPv4 first, so that a machine without IPv6 loses no time; rejects when there is none. */
export function createResolver(options: ResolverOptions = {}): Resolve {
  const { hostsFile = '/etc/hosts', system = systemResolve } = options;
  const nameServers = refreshed(() => openNameServers(options));
  const hosts = refreshed(() => readHosts(hostsFile));
  const gate = createGate(SYSTEM_GATE);
  return async (hostname) => {
    const known = (await hosts()).get(hostname);
    if (known !== undefined) return known;
    try {
      return await ask(nameServers(), hostname);
    } catch (error) {
      if (!UNKNOWN.has(codeOf(error))) throw error;
      return gate(() => system(hostname));
    }
  };
}

function openNameServers({ servers, timeoutMs = TIMEOUT_MS }: ResolverOptions): Resolver {
  const resolver = new Resolver({ timeout: timeoutMs, maxTimeout: MAX_TIMEOUT_MS, tries: TRIES });
  if (servers !== undefined) resolver.setServers(servers);
  return resolver;
}

/** Both families at once; one of them is enough. */
async function ask(resolver: Resolver, hostname: string): Promise<readonly string[]> {
  const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (addresses.length > 0) return addresses;
  const errors = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
  // That one of them was not answered says more than that there is none of the other.
  throw errors.find((error) => !UNKNOWN.has(codeOf(error))) ?? errors[0];
}

type Hosts = ReadonlyMap<string, readonly string[]>;

/** What the hosts file says, by name in lower case, which names in URLs are; nothing if it cannot be read. */
async function readHosts(path: string): Promise<Hosts> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const hosts = new Map<string, string[]>([['localhost', []]]);
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      hosts.set(key, [...(hosts.get(key) ?? []), address]);
    }
  }
  // It leads to this machine whatever anybody says (RFC 6761 6.3).
  if (hosts.get('localhost')?.length === 0) hosts.set('localhost', ['127.0.0.1', '::1']);
  return hosts;
}

/** What was loaded a moment ago, or loaded anew. */
function refreshed<T>(load: () => T): () => T {
  let loaded: { readonly value: T; readonly at: number } | undefined;
  return () => {
    const now = performance.now();
    if (loaded === undefined || now - loaded.at > REFRESH_MS) loaded = { value: load(), at: now };
    return loaded.value;
  };
}
