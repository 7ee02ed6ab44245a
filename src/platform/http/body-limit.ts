/** A limit on the bodies of requests, whether they tell their length or not. */
import type { MiddlewareHandler } from 'hono';
import { bodyLimit as readToLimit } from 'hono/body-limit';
import { AppError } from '../../lib/errors.ts';

export const MAX_BODY_BYTES = 1024 * 1024;

/** Refuses (`PAYLOAD_TOO_LARGE`) a body of more than `maxBytes`; one that tells its length without reading it. */
export function bodyLimit(maxBytes: number = MAX_BODY_BYTES): MiddlewareHandler {
  const refuse = (): never => {
    throw new AppError('PAYLOAD_TOO_LARGE', `The body of a request holds at most ${maxBytes / 1024} KiB.`);
  };
  const readChunks = readToLimit({ maxSize: maxBytes, onError: refuse });
  return async (c, next) => {
    if (c.req.header('transfer-encoding') !== undefined) return readChunks(c, next);
    // Node's parser lets no more bytes through than are told here.
    if (Number(c.req.header('content-length') ?? 0) > maxBytes) refuse();
    return next();
  };
}
