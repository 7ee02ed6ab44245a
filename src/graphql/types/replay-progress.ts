/** How far a replay has come, live. */
import { MAY_READ } from '../../webhooks/context.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { requireViewer } from '../context.ts';
import { localId } from '../global-id.ts';

/** Registers Subscription.replayProgress. */
export function addReplayProgress(builder: Builder): void {
  builder.subscriptionField('replayProgress', (t) =>
    t.field({
      ...access(MAY_READ),
      description:
        'A replay as it is now, then at each change, twice a second at most; ends with the replay, or with an error when the token does.',
      type: 'Replay',
      args: { id: t.arg.id({ required: true, description: 'The global id of the replay.' }) },
      subscribe: (_root, { id }, { viewer, followReplay }) =>
        followReplay(requireViewer(viewer), localId('Replay', id)),
      resolve: (replay) => replay,
    }),
  );
}
