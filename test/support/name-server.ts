/** A name server on loopback (RFC 1035, over UDP), for names that behave as a test wants them to. */
import { createSocket, type Socket } from 'node:dgram';
import { parseAddress } from '../../src/platform/ip-range.ts';

/** What it says about a name: its addresses of both families, another name, or how it fails. */
export type Records =
  | readonly string[]
  | { readonly alias: string; readonly addresses: readonly string[] }
  | 'nxdomain'
  | 'servfail'
  /** Nothing at all. */
  | 'silent'
  /** An address of three bytes. */
  | 'malformed';

export type Question = { readonly name: string; readonly type: 'A' | 'AAAA'; readonly index: number };

export type NameServer = {
  /** `address:port`. */
  readonly address: string;
  /** What was asked, in order. */
  readonly asked: readonly Question[];
  readonly close: () => Promise<void>;
};

const TYPES = { 1: 'A', 28: 'AAAA' } as const;
const CODES = { nxdomain: 3, servfail: 2 } as const;
const CNAME = 5;
/** Points to the name in the question. */
const SAME_NAME = Buffer.from([0xc0, 12]);

/** Answers what `records` says; `index` counts the questions of a name and type, from 0. */
export async function startNameServer(records: (question: Question) => Records): Promise<NameServer> {
  const socket = createSocket('udp4');
  const asked: Question[] = [];
  socket.on('message', (message, { port, address }) => {
    const answer = answerOf(message, asked, records);
    if (answer !== undefined) socket.send(answer, port, address);
  });
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  const { port } = socket.address();
  return { address: `127.0.0.1:${port}`, asked, close: () => close(socket) };
}

function close(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.close(resolve);
  });
}

function answerOf(
  message: Buffer,
  asked: Question[],
  records: (question: Question) => Records,
): Buffer | undefined {
  const { name, end } = readName(message, 12);
  const type = TYPES[message.readUInt16BE(end) as keyof typeof TYPES]; // Looked up; no other is asked for.
  const index = asked.filter((one) => one.name === name && one.type === type).length;
  const question = { name, type, index };
  asked.push(question);
  const said = records(question);
  if (said === 'silent') return undefined;
  const answers = typeof said === 'string' ? malformed(said, type) : recordsOf(said, type);
  const code = said === 'nxdomain' || said === 'servfail' ? CODES[said] : 0;
  const header = Buffer.alloc(12);
  message.copy(header, 0, 0, 2);
  // An answer, recursion desired and available.
  header.writeUInt16BE(0x8180 | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  return Buffer.concat([header, message.subarray(12, end + 4), ...answers]);
}

function malformed(said: string, type: 'A' | 'AAAA'): readonly Buffer[] {
  return said === 'malformed' ? [record(SAME_NAME, type === 'A' ? 1 : 28, Buffer.from([127, 0, 0]))] : [];
}

function recordsOf(said: Exclude<Records, string>, type: 'A' | 'AAAA'): readonly Buffer[] {
  const { addresses, alias } = 'alias' in said ? said : { addresses: said, alias: undefined };
  const owner = alias === undefined ? SAME_NAME : writeName(alias);
  const own = addresses
    .map((address) => Buffer.from(parseAddress(address) ?? []))
    .filter(({ length }) => length === (type === 'A' ? 4 : 16))
    .map((bytes) => record(owner, type === 'A' ? 1 : 28, bytes));
  return alias === undefined ? own : [record(SAME_NAME, CNAME, owner), ...own];
}

/** With a time to live of none. */
function record(owner: Buffer, type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, head, data]);
}

function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += length + 1;
  }
  return { name: labels.join('.'), end: at + 1 };
}

function writeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label, 'latin1')]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
