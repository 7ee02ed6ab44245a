import { GraphQLError, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, explainParseError } from '../../src/graphql/limits/limits.ts';

function explain(document: string, maxTokens?: number): unknown {
  try {
    return parse(document, maxTokens === undefined ? {} : { maxTokens });
  } catch (error) {
    return explainParseError(error, DEFAULT_LIMITS);
  }
}

describe('A document that cannot be read', () => {
  // How deep the stack is depends on the machine; this is beyond every one.
  const DEEP = `{ a(b: ${'['.repeat(200_000)}`;

  it.each([
    ['nested too deeply for the parser', explain(DEEP), 'The document is nested too deeply to be read.'],
    ['overlong', explain('{ a b c d }', 3), 'The document has more than 2,000 tokens.'],
    ['malformed', explain('{ a'), 'Syntax Error: Expected Name, found <EOF>.'],
  ])('%s: the same code and status, in words', (_name, error, message) => {
    expect(error).toBeInstanceOf(GraphQLError);
    expect(error).toMatchObject({
      message,
      extensions: { code: 'GRAPHQL_PARSE_FAILED', http: { status: 400, spec: true } },
    });
  });

  it('and any other error stays what it is', () => {
    const error = new TypeError('a defect');
    expect(explainParseError(error, DEFAULT_LIMITS)).toBe(error);
  });
});
