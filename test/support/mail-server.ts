/** A mail server as tests play it: real SMTP on a real socket, with TLS and a login where they are asked for. */
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export type ReceivedMail = {
  readonly from: string;
  readonly to: readonly string[];
  /** Whether it came over TLS. */
  readonly secure: boolean;
  readonly user: string | undefined;
  /** As it came over the wire. */
  readonly raw: string;
  /** Of the header, unfolded, by names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The plain text, decoded. */
  readonly text: string;
  readonly html: string;
};

/** How to refuse: an SMTP reply, for the recipient or for the content. */
export type Refusal = { readonly at: 'recipient' | 'content'; readonly code: number; readonly text: string };

export type MailServer = {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** What the next mails are refused with; undefined: they are taken. */
  refuse: Refusal | undefined;
  /** Resolves when so many mails have come in all. */
  readonly received: (count: number) => Promise<readonly ReceivedMail[]>;
  /** The first link in the newest mail to this address. */
  readonly linkTo: (address: string) => string;
  readonly close: () => Promise<void>;
};

export type MailServerOptions = {
  readonly port?: number;
  readonly tls?: 'implicit' | 'starttls' | 'off';
  /** A file of test/support/tls. */
  readonly certificate?: string;
  /** Whom it asks for; nobody if left out. */
  readonly login?: { readonly user: string; readonly password: string };
};

const TLS_FOLDER = new URL('tls/', import.meta.url);

/** The authority that signed the server's certificate. */
export function readAuthority(): Promise<string> {
  return readFile(new URL('ca.pem', TLS_FOLDER), 'utf8');
}

export async function startMailServer({
  port = 0,
  tls = 'off',
  certificate = 'cert.pem',
  login,
}: MailServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const waiting = new Set<() => void>();
  const state: { refuse: Refusal | undefined } = { refuse: undefined };
  const refusal = (at: Refusal['at']): Error | null =>
    state.refuse?.at === at
      ? Object.assign(new Error(state.refuse.text), { responseCode: state.refuse.code })
      : null;
  const options: SMTPServerOptions = {
    secure: tls === 'implicit',
    key: await readFile(new URL('key.pem', TLS_FOLDER), 'utf8'),
    cert: await readFile(new URL(certificate, TLS_FOLDER), 'utf8'),
    disabledCommands: [...(login === undefined ? ['AUTH'] : []), ...(tls === 'starttls' ? [] : ['STARTTLS'])],
    disableReverseLookup: true,
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _session, answer) => {
      const isRight = username === login?.user && password === login?.password;
      if (isRight) answer(null, { user: username });
      else answer(new Error('Wrong user or password'));
    },
    onRcptTo: (_address, _session, answer) => answer(refusal('recipient')),
    onData: (stream, session, answer) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const refused = refusal('content');
        if (refused !== null) return answer(refused);
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          secure: session.secure,
          user: session.user,
          ...parseMail(Buffer.concat(chunks).toString()),
        });
        for (const look of waiting) look();
        return answer(null);
      });
    },
  };
  const server = new SMTPServer(options);
  // A client that does not trust the certificate breaks off; the tests look at what the client says.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.server.address() as AddressInfo).port, // Of a TCP server, as this one is.
    mails,
    get refuse() {
      return state.refuse;
    },
    set refuse(refuse) {
      state.refuse = refuse;
    },
    received: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (mails.length < count) return;
          waiting.delete(look);
          resolve(mails);
        };
        waiting.add(look);
        look();
      }),
    linkTo: (address) => {
      const mail = mails.findLast(({ to }) => to.includes(address));
      const link = /https?:\/\/\S+/.exec(mail?.text ?? '')?.[0];
      if (link === undefined) throw new Error(`No mail with a link came for ${address}.`);
      return link;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

function parseMail(raw: string): Pick<ReceivedMail, 'raw' | 'headers' | 'text' | 'html'> {
  const { headers, body } = split(raw);
  const boundary = /boundary="([^"]+)"/.exec(headers.get('content-type') ?? '')?.[1];
  const parts = body.split(`--${boundary}`).map((part) => split(part.replace(/^\r\n/, '')));
  const partOf = (type: string): string => {
    const part = parts.find((one) => one.headers.get('content-type')?.startsWith(type) === true);
    return part === undefined ? '' : decode(part.body, part.headers.get('content-transfer-encoding'));
  };
  return { raw, headers, text: partOf('text/plain'), html: partOf('text/html') };
}

function split(text: string): { headers: ReadonlyMap<string, string>; body: string } {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const lines = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
  const headers = lines.map((line) => {
    const [name = '', ...value] = line.split(':');
    return [name.toLowerCase(), value.join(':').trim()] as const;
  });
  return { headers: new Map(headers), body: rest.join('\r\n\r\n') };
}

/** RFC 2045 6.7 and 6.8. */
function decode(body: string, encoding: string | undefined): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString();
  if (encoding !== 'quoted-printable') return body;
  const bytes = body
    .replaceAll(/=\r\n/g, '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}
