/** Cursors of the lists: opaque for the caller, the id of the last item for us. */
import { isUuid } from '../lib/ids.ts';

/** The first byte; another form gets another one, and old cursors stay readable. */
const VERSION = 1;

/** The cursor that continues after the item with this id. */
export function encodeCursor(id: string): string {
  return Buffer.from([VERSION, ...Buffer.from(id.replaceAll('-', ''), 'hex')]).toString('base64url');
}

/** The id of a cursor; undefined for what `encodeCursor` did not make. */
export function decodeCursor(cursor: string): string | undefined {
  const bytes = Buffer.from(cursor, 'base64url');
  if (bytes.length !== 17 || bytes[0] !== VERSION) return undefined;
  const id = bytes.toString('hex', 1).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return isUuid(id) && encodeCursor(id) === cursor ? id : undefined;
}
