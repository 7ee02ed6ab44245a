import type { CodegenConfig } from '@graphql-codegen/cli';

/** Typed operations for the tests, from the documents in them. */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['test/graphql/**/*.ts'],
  importExtension: '.ts',
  generates: {
    'test/generated/gql/': {
      preset: 'client-preset',
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        scalars: { Cursor: 'string', DateTime: 'string', JSON: 'unknown', URL: 'string' },
      },
    },
  },
};

export default config;
