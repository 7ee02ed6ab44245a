/** The limit of WebSockets that one viewer has open at a time, whatever goes on over them. */
import type { Viewer } from '../../accounts/viewer.ts';
import { viewerKey } from './streams.ts';

export type SocketLimit = {
  /** Counts a socket of the viewer; answers what is called once it is closed, or undefined when there is no room for it. */
  readonly enter: (viewer: Viewer) => (() => void) | undefined;
};

/** At most `maxSockets` for each viewer. */
export function limitSockets(maxSockets: number): SocketLimit {
  const open = new Map<string, number>();
  return {
    enter: (viewer) => {
      const key = viewerKey(viewer);
      const count = open.get(key) ?? 0;
      if (count >= maxSockets) return undefined;
      open.set(key, count + 1);
      return () => {
        const left = (open.get(key) ?? 1) - 1;
        if (left > 0) open.set(key, left);
        else open.delete(key);
      };
    },
  };
}
