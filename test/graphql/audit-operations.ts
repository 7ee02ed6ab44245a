/** Operations on the audit log. */
import { graphql } from '../generated/gql/index.ts';

export const LOG = graphql(`
  query AuditLog($filter: AuditFilter, $first: Int, $after: Cursor, $last: Int, $before: Cursor) {
    organization {
      auditLog(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
        totalCount { value accuracy }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        nodes {
          id at action description occurrences address userAgent requestId
          actor { kind id label clientId }
          target { type id label }
          changes { field from to }
        }
      }
    }
  }
`);
export const PLATFORM_LOG = graphql(`
  query PlatformLog { platformAuditLog { nodes { action actor { kind } target { type label } } } }
`);
export const NODE = graphql(`query AuditNode($id: ID!) { node(id: $id) { __typename id } }`);
