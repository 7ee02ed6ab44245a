/**
 * Which URLs the server may be told to call: webhook targets, key sets, logos (webhooks rules 29 to 32).
 * Names are checked here, the addresses behind them when a connection is made.
 */
import { isIP } from 'node:net';
import type { Cidr } from '../ip-range.ts';
import { classifyAddress } from './address.ts';

export type TargetPolicy = {
  /** Whether http is good enough; https always is. */
  readonly allowHttp: boolean;
  /** Ranges that the operator opened. */
  readonly allow: readonly Cidr[];
};

export type CheckedTargetUrl =
  | { readonly ok: true; readonly url: URL }
  | {
      readonly ok: false;
      /** A sentence for the person who typed the URL. */
      readonly reason: string;
      readonly errorKind: 'invalid_url' | 'blocked_address';
    };

export const MAX_URL_LENGTH = 2048;

/** The one sentence for everything behind a closed address: it tells nothing about what is there (webhooks rule 35). */
export const BLOCKED_ADDRESS_MESSAGE =
  'The address of this URL is private, local or reserved; nothing is sent there.';

/** Names under which clouds serve credentials; closed even if an egress proxy would resolve them elsewhere. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'metadata.azure.internal',
  'metadata.tencentyun.com',
  'instance-data',
  'instance-data.ec2.internal',
]);

/** Checks a URL as a person typed it, before anything is resolved or sent. Never throws. */
export function checkTargetUrl(text: string, policy: TargetPolicy): CheckedTargetUrl {
  const fault = faultOfText(text);
  if (fault !== undefined) return invalid(fault);
  const url = URL.parse(text);
  if (url === null) return invalid('Expected a URL, such as https://lms.example.com/webhooks.');
  const urlFault = faultOfUrl(url, policy);
  if (urlFault !== undefined) return invalid(urlFault);
  if (isClosedHost(hostOf(url), policy.allow)) {
    return { ok: false, reason: BLOCKED_ADDRESS_MESSAGE, errorKind: 'blocked_address' };
  }
  return { ok: true, url };
}

/** The host of a URL as a name or a bare address: IPv6 without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
}

/** What the URL parser would quietly mend or drop has to be looked for in the text. */
function faultOfText(text: string): string | undefined {
  if (text.length > MAX_URL_LENGTH) return `Expected a URL of at most ${MAX_URL_LENGTH} characters.`;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u0020\u007f-\u00a0]/.test(text)) return 'A URL cannot contain spaces or control characters.';
  if (text.includes('#')) return 'Leave out the fragment (the part from "#" on): it is never sent.';
  return undefined;
}

function faultOfUrl(url: URL, { allowHttp }: TargetPolicy): string | undefined {
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) {
    return allowHttp ? 'Expected a URL with https or http.' : 'Expected a URL with https.';
  }
  if (url.username !== '' || url.password !== '') {
    return 'Leave out the user name and password: a URL is shown and logged. Send a custom header instead.';
  }
  if (!isOpenPort(url.port)) return 'Expected port 80, 443, or one from 1024 on.';
  if (url.hostname.endsWith('.')) return 'Leave out the dot at the end of the host name.';
  return undefined;
}

/** Below 1024 live mail, remote shells and the like, which can be made to misread HTTP. */
function isOpenPort(port: string): boolean {
  return port === '' || port === '80' || port === '443' || Number(port) >= 1024;
}

/** Numeric spellings (decimal, octal, hex, short, full-width) are plain addresses by now: the URL parser saw to it. */
function isClosedHost(host: string, allow: readonly Cidr[]): boolean {
  if (isIP(host) !== 0) return classifyAddress(host, allow) === 'blocked';
  if (host === 'localhost' || host.endsWith('.localhost')) {
    return classifyAddress('127.0.0.1', allow) === 'blocked';
  }
  return METADATA_NAMES.has(host);
}

function invalid(reason: string): CheckedTargetUrl {
  return { ok: false, reason, errorKind: 'invalid_url' };
}
