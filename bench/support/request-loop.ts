/** Posts the same JSON over some connections again and again, and says how many answers a second came. */
import { Pool } from 'undici';
import { monotonicMs } from './receiver-messages.ts';

export type RequestLoop = {
  readonly origin: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  readonly connections: number;
  readonly requests: number;
  /** Throws for an answer that is not the work; sees every one. */
  readonly verify: (text: string) => void;
};

/** Requests a second; throws for any answer but 200. */
export async function requestRate(loop: RequestLoop): Promise<number> {
  const pool = new Pool(loop.origin, { connections: loop.connections, pipelining: 1 });
  let left = loop.requests;
  const work = async (): Promise<void> => {
    while (left-- > 0) loop.verify(await requestOne(pool, loop));
  };
  const start = monotonicMs();
  await Promise.all(Array.from({ length: loop.connections }, work));
  const ms = monotonicMs() - start;
  await pool.close();
  return (loop.requests / ms) * 1_000;
}

async function requestOne(pool: Pool, { path, headers, body }: RequestLoop): Promise<string> {
  const answer = await pool.request({
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}: ${text}`);
  return text;
}
