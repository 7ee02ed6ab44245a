/** Who may read the metrics: a program on this machine, or whoever knows the token. */
import { equalInConstantTime } from '../../lib/crypto.ts';

export type MetricsRequest = {
  /** The address of the socket's other end; undefined when it is gone. */
  readonly peerAddress: string | undefined;
  readonly headers: Headers;
};

// A proxy on this machine speaks for others: its own address says nothing about them.
const PROXY_HEADER = /^(forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|true-client-ip|cf-connecting-ip)$/;

/** Whether to answer. No header opens anything but the right token; one of a proxy's closes the way by address. */
export function mayReadMetrics({ peerAddress, headers }: MetricsRequest, token: string | undefined): boolean {
  if (isLoopback(peerAddress) && ![...headers.keys()].some((name) => PROXY_HEADER.test(name))) return true;
  const given = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1];
  return token !== undefined && given !== undefined && equalInConstantTime(given, token);
}

/** Whether the address, as a socket writes it, is in 127.0.0.0/8 or is ::1, mapped into IPv6 or not. */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (/^(::ffff:)?127(\.\d{1,3}){3}$/.test(address) || address === '::1');
}
