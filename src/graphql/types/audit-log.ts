/** The audit log: of the organization, of the platform, and what may stand in it. */
import type { RequestContext } from '../../accounts/viewer.ts';
import { AUDIT_ACTIONS, type AuditActionInfo } from '../../audit/action.ts';
import { type AuditFilter, countEntries, listEntries, MAY_SEE_AUDIT_LOG } from '../../audit/list.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { type PageArguments, pageArguments, parsePage, toConnection } from '../connection.ts';
import { localId, parseGlobalId } from '../global-id.ts';
import { given } from '../mutation.ts';

/** Registers Organization.auditLog, Query.platformAuditLog and Query.auditActions. */
export function addAuditLog(builder: Builder): void {
  addLists(builder);
  addActions(builder);
}

type FilterInput = {
  readonly actions?: readonly string[] | null | undefined;
  readonly actor?: string | null | undefined;
  readonly target?: string | null | undefined;
  readonly since?: Date | null | undefined;
  readonly until?: Date | null | undefined;
};

function parseFilter(input: FilterInput | null | undefined): AuditFilter {
  const { actions, actor, target, since, until } = input ?? {};
  return {
    actions: given(actions),
    actorId: actor === null || actor === undefined ? undefined : localId('User', actor),
    targetId: target === null || target === undefined ? undefined : (parseGlobalId(target)?.id ?? target),
    since: given(since),
    until: given(until),
  };
}

function addLists(builder: Builder): void {
  const filter = builder.inputType('AuditFilter', {
    description: 'Which entries. All conditions have to hold.',
    fields: (t) => ({
      actions: t.stringList({ description: 'Those of these actions.' }),
      actor: t.id({ description: 'Those of this user (global id) or client (client_id).' }),
      target: t.id({ description: 'Those about what has this id.' }),
      since: t.field({ type: 'DateTime', description: 'Those that were recorded at this time or later.' }),
      until: t.field({ type: 'DateTime', description: 'Those that were recorded before this time.' }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    auditLog: t.field({
      ...access(MAY_SEE_AUDIT_LOG),
      description: 'Its audit log, newest first. For an ADMIN who has signed in; no token is good for it.',
      type: 'AuditEntryConnection',
      args: { filter: t.arg({ type: filter, description: 'Which entries.' }), ...pageArguments(t.arg) },
      resolve: (_organization, args, { features }) => listPage(features().context, args),
    }),
  }));
  builder.queryField('platformAuditLog', (t) =>
    t.field({
      ...access('platform admin'),
      description:
        'What concerns no organization, newest first. For an admin of the platform who has signed in.',
      type: 'AuditEntryConnection',
      args: { filter: t.arg({ type: filter, description: 'Which entries.' }), ...pageArguments(t.arg) },
      resolve: (_root, args, { features }) => listPage(features().platform(), args),
    }),
  );
}

async function listPage(
  context: RequestContext,
  args: PageArguments & { readonly filter?: FilterInput | null | undefined },
) {
  const page = parsePage(args);
  const wanted = parseFilter(args.filter);
  const entries = await listEntries(context, wanted, page);
  return toConnection(
    entries,
    page,
    ({ id }) => id,
    () => countEntries(context, wanted),
  );
}

function addActions(builder: Builder): void {
  const action = builder.objectRef<AuditActionInfo>('AuditAction').implement({
    description: 'Something that the audit log records.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name, such as webhook_subscription.created.' }),
      description: t.exposeString('description', { description: 'What was done, in a sentence.' }),
    }),
  });
  builder.queryField('auditActions', (t) =>
    t.field({
      ...access('signed in'),
      description: 'Everything that the audit log records.',
      type: [action],
      resolve: () => [...AUDIT_ACTIONS],
    }),
  );
}
