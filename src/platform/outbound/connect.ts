/**
 * Makes a connection that goes only where it may: the name is resolved and checked here, exactly a checked address
 * is dialled, and what the socket is connected to is checked again (webhooks rules 27 to 33).
 */
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Cidr } from '../ip-range.ts';
import { classifyAddress } from './address.ts';
import { dial } from './dial.ts';
import { blockedAddress, connectFailure, tlsFailure } from './failure.ts';
import { type Resolve, resolveOpen } from './resolve.ts';

/** Milliseconds of the phases of a new connection, filled in as they end. */
export type Phases = { dnsMs: number | null; connectMs: number | null; tlsMs: number | null };

export type ConnectTarget = {
  /** A name or a bare address. It is what SNI and the certificate are held to, whatever it resolves to. */
  readonly hostname: string;
  readonly port: number;
  readonly secure: boolean;
};

export type ConnectOptions = {
  readonly allow: readonly Cidr[];
  readonly resolve: Resolve;
  /** Certificate authorities in PEM, instead of those that Node trusts. */
  readonly ca?: string | undefined;
};

export type ConnectProgress = { readonly phases: Phases; readonly signal: AbortSignal };

/**
 * A connected socket, past its TLS handshake where `secure`. Rejects with an OutboundFailure, or with the signal's reason.
 * The certificate is always verified, whatever the environment says.
 */
export async function connect(
  target: ConnectTarget,
  options: ConnectOptions,
  { phases, signal }: ConnectProgress,
): Promise<Socket> {
  const start = performance.now();
  const addresses = await resolveOpen(target.hostname, options.resolve, options.allow);
  const resolved = performance.now();
  if (isIP(target.hostname) === 0) phases.dnsMs = resolved - start;
  const socket = await dial(addresses, target.port, signal);
  const connected = performance.now();
  phases.connectMs = connected - resolved;
  requireOpenPeer(socket, options.allow);
  if (!target.secure) return socket;
  const secured = await secure(socket, target.hostname, { ca: options.ca, signal });
  phases.tlsMs = performance.now() - connected;
  return secured;
}

/** The address was checked before it was dialled; this holds even if something in between changed it. */
function requireOpenPeer(socket: Socket, allow: readonly Cidr[]): void {
  const peer = socket.remoteAddress;
  if (peer !== undefined && classifyAddress(peer, allow) !== 'blocked') return;
  socket.destroy();
  // A peer that hung up already is unknown; that is no reason to give up for good.
  throw peer === undefined ? connectFailure() : blockedAddress();
}

type TlsOptions = { readonly ca: string | undefined; readonly signal: AbortSignal };

function secure(socket: Socket, hostname: string, { ca, signal }: TlsOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({
      socket,
      host: hostname,
      // SNI carries names only (RFC 6066 3).
      servername: isIP(hostname) === 0 ? hostname : '',
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
    });
    const abort = () => tls.destroy(new Error('The attempt was given up.'));
    signal.addEventListener('abort', abort);
    tls.once('secureConnect', () => {
      signal.removeEventListener('abort', abort);
      resolve(tls);
    });
    // It stays for the socket's life, as on the socket below it.
    tls.on('error', (error) => {
      signal.removeEventListener('abort', abort);
      reject(signal.aborted ? signal.reason : tlsFailure(hostname, error));
    });
  });
}
