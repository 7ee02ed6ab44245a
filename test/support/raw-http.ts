/** HTTP as no client library would speak it: bytes to a socket, and what comes back until it closes. */
import { connect, type Socket } from 'node:net';

export type RawAnswer = { readonly status: number; readonly head: string; readonly body: string };

/** Sends the text and answers the first answer, once the server has closed the connection. */
export async function sendRaw(url: string, text: string): Promise<RawAnswer> {
  return parse(await converse(url, (socket) => socket.write(text)));
}

/** Lets `speak` talk to the server and answers all that it said until it closed the connection. */
export function converse(url: string, speak: (socket: Socket) => void): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(Number(port), hostname, () => speak(socket));
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      said += chunk;
    });
    // A server that has answered may reset what was still on its way to it.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(said));
  });
}

function parse(said: string): RawAnswer {
  const [head = '', body = ''] = said.split(/\r\n\r\n(.*)/s);
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body };
}
