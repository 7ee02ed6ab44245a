import { describe, expect, it } from 'vitest';
import { parseTraceparent } from '../../../src/platform/tracing/traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

function parse(traceparent: string, tracestate?: string) {
  return parseTraceparent(new Headers({ traceparent, ...(tracestate === undefined ? {} : { tracestate }) }));
}

describe('traceparent, W3C Trace Context 3.2', () => {
  it('names the trace and the span that it goes on from', () => {
    const context = parse(`00-${TRACE}-${SPAN}-01`, 'vendor=1');
    expect(context).toMatchObject({ traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
    expect(context?.traceState?.get('vendor')).toBe('1');
  });

  it('may be of a later version, with more behind the flags', () => {
    expect(parse(`01-${TRACE}-${SPAN}-01-more`)).toMatchObject({ traceId: TRACE });
  });

  it.each([
    '',
    'nothing',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}0-${SPAN}-01`,
  ])('is not %j: a new trace begins', (traceparent) => {
    expect(parse(traceparent)).toBeUndefined();
  });

  it('goes on without a tracestate that is too long', () => {
    const context = parse(`00-${TRACE}-${SPAN}-01`, `a=${'x'.repeat(600)}`);
    expect(context).toMatchObject({ traceId: TRACE });
    expect(context?.traceState).toBeUndefined();
  });
});
