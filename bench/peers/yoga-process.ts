/** The peer of `{ __typename }`: GraphQL Yoga as its documentation starts it, without limits, sessions or tokens. */
import { createSchema, createYoga } from 'graphql-yoga';
import { listen } from '../support/listen.ts';

const schema = createSchema({ typeDefs: 'type Query { hello: String! }' });
listen(createYoga({ schema, logging: false, graphiql: false }));
