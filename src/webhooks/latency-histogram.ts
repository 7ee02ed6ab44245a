/**
 * Latencies as counts in log-spaced bins, eight for each doubling: sums of histograms are histograms, so percentiles can
 * be told of any span of time. Bin 0 reaches up to 1 ms, bin n up to 2 ^ (n / 8) ms, as `optio.latency_bin` has it.
 */

/** How many attempts lie in each bin. */
export type LatencyHistogram = ReadonlyMap<number, number>;

const BINS_PER_DOUBLING = 8;

/** The latency in milliseconds that `percent` of the attempts do not exceed, within 9 %; null without attempts. */
export function percentileOf(histogram: LatencyHistogram, percent: number): number | null {
  const bins = [...histogram].filter(([, count]) => count > 0).toSorted(([a], [b]) => a - b);
  const total = bins.reduce((sum, [, count]) => sum + count, 0);
  const rank = (total * percent) / 100;
  let below = 0;
  for (const [bin, count] of bins) {
    if (below + count >= rank) return within(bin, (rank - below) / count);
    below += count;
  }
  return null;
}

/** As if the attempts of a bin were spread evenly over it. */
function within(bin: number, share: number): number {
  const upper = upperBound(bin);
  const lower = bin === 0 ? 0 : upperBound(bin - 1);
  return Math.round((lower + (upper - lower) * share) * 10) / 10;
}

function upperBound(bin: number): number {
  return 2 ** (bin / BINS_PER_DOUBLING);
}
