import { afterEach, describe, expect, it } from 'vitest';
import { type Asset, createAssetRoutes } from '../../../src/platform/http/assets.ts';
import { listen } from '../../rest/support.ts';

const CONTENT = 'const answer = 42;\n'.repeat(100);

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function start(load: Asset['load']): Promise<string> {
  const app = createAssetRoutes([{ path: '/page/1.0.0/page.js', type: 'text/javascript', load }]);
  app.onError((error, c) => c.text(error.message, 500));
  const { server, origin } = await listen(app.fetch);
  closers.push(() => server.close());
  return `${origin}/page/1.0.0/page.js`;
}

describe('An asset', () => {
  it('is kept by browsers for ever, since its path changes with its content', async () => {
    const response = await fetch(await start(async () => CONTENT));
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(await response.text()).toBe(CONTENT);
  });

  it('is compressed once for those who can read that, and sent as it is to the others', async () => {
    let loads = 0;
    const url = await start(async () => {
      loads += 1;
      return CONTENT;
    });
    const ask = (encoding: string) => fetch(url, { headers: { 'Accept-Encoding': encoding } });
    for (const response of [await ask('gzip, br'), await ask('gzip')]) {
      expect(response.headers.get('content-encoding')).toBe('gzip');
      expect(await response.text()).toBe(CONTENT);
    }
    expect(loads).toBe(1);
    const plain = await ask('identity');
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(plain.headers.get('vary')).toBe('Accept-Encoding');
    expect(await plain.text()).toBe(CONTENT);
  });

  it('is loaded again after a failure', async () => {
    let loads = 0;
    const url = await start(async () => {
      loads += 1;
      if (loads === 1) throw new Error('The disk is away.');
      return CONTENT;
    });
    expect((await fetch(url)).status).toBe(500);
    expect((await fetch(url)).status).toBe(200);
  });
});
