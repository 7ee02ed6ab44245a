/** Files of a page under URLs that never change their content: browsers fetch each of them once. */
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Hono } from 'hono';

export type Asset = {
  /** Holds a version, or the content's hash: whoever has the path's content never asks again. */
  readonly path: string;
  readonly type: 'text/css' | 'text/javascript' | 'image/png';
  /** Reads the content; not before somebody asks for it. */
  readonly load: () => Promise<Buffer | string>;
};

const IMMUTABLE = 'public, max-age=31536000, immutable';
const compress = promisify(gzip);

/** GET of each asset, compressed if the browser can read that; it is compressed once. */
export function createAssetRoutes(assets: readonly Asset[]): Hono {
  const app = new Hono();
  for (const { path, type, load } of assets) {
    const loadCompressed = once(async () => compress(await load()));
    app.get(path, async (c) => {
      const isCompressed = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '');
      const body = isCompressed ? await loadCompressed() : await load();
      return new Response(typeof body === 'string' ? body : new Uint8Array(body), {
        headers: {
          'Content-Type': type === 'image/png' ? type : `${type}; charset=utf-8`,
          'Cache-Control': IMMUTABLE,
          Vary: 'Accept-Encoding',
          ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}),
        },
      });
    });
  }
  return app;
}

/** A file of ours or of a package. */
export function file(url: URL): () => Promise<Buffer> {
  return () => readFile(url);
}

/** A success is remembered; after a failure it is tried again. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work().catch((error: unknown) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}
