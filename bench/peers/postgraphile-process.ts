/**
 * The peer of lists: PostGraphile 5 on the product's own tables, as the product's login, under the same row-level
 * security. Its requests carry no token: on whose behalf it reads is set when it starts.
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { jsonPgSmartTags } from 'postgraphile/utils';

const { TENANT_URL = '', ORGANIZATION_ID = '' } = process.env;

// Tables whose partitions end at different times have no foreign keys; the relations are told instead.
const RELATIONS = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      deliveries: {
        tags: {
          foreignKey:
            '(organization_id, subscription_id) references webhook_subscriptions (organization_id, id)',
        },
      },
      delivery_attempts: {
        tags: { foreignKey: '(organization_id, delivery_id) references deliveries (organization_id, id)' },
      },
    },
  },
});

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [RELATIONS],
  pgServices: [makePgService({ connectionString: TENANT_URL, schemas: ['public'], poolConfig: { max: 20 } })],
  grafserv: { graphqlPath: '/graphql', watch: false, graphiql: false },
  grafast: {
    context: {
      pgSettings: {
        'app.organization_id': ORGANIZATION_ID,
        'app.user_id': '',
        'app.role': 'CLIENT',
      },
    },
  },
});

const server = createServer();
server.on('error', (error) => {
  throw error;
});
await instance.createServ(grafserv).addTo(server);
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo; // It listens on a port.
  process.send?.({ port });
});
process.on('disconnect', () => process.exit(0));
