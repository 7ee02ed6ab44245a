/** The peer of all deliveries: undici posting bodies as fast as it can, and nothing else. */
import { Pool } from 'undici';

export const CONNECTIONS = 64;

/** Posts all bodies to the origin over 64 connections; throws for an answer other than 200. */
export async function postBare(origin: string, bodies: readonly string[]): Promise<void> {
  const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1 });
  let next = 0;
  const loop = async (): Promise<void> => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) await postOne(pool, body);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, loop));
  await pool.close();
}

/** Posts one body. */
export async function postOne(pool: Pool, body: string): Promise<void> {
  const answer = await pool.request({
    path: '/bare',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`The receiver answered ${answer.statusCode}.`);
}
