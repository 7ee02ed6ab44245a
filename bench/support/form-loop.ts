/** Posts forms over some connections again and again, each made of the answer before, and says how many answers a second came. */
import { Pool } from 'undici';
import { monotonicMs } from './receiver-messages.ts';

export type FormLoop = {
  readonly origin: string;
  readonly path: string;
  readonly connections: number;
  readonly requests: number;
  /** The next form of a connection. */
  readonly form: (connection: number) => string;
  /** Throws for an answer that is not the work; sees every one. */
  readonly take: (text: string, connection: number) => void;
};

/** Requests a second; throws for any answer but 200. */
export async function formRate(loop: FormLoop): Promise<number> {
  const pool = new Pool(loop.origin, { connections: loop.connections, pipelining: 1 });
  let left = loop.requests;
  const work = async (connection: number): Promise<void> => {
    while (left-- > 0) loop.take(await post(pool, loop.path, loop.form(connection)), connection);
  };
  const start = monotonicMs();
  await Promise.all(Array.from({ length: loop.connections }, (_, index) => work(index)));
  const ms = monotonicMs() - start;
  await pool.close();
  return (loop.requests / ms) * 1_000;
}

async function post(pool: Pool, path: string, body: string): Promise<string> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await pool.request({ path, method: 'POST', headers, body });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}: ${text}`);
  return text;
}
