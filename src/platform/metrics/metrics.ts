/**
 * Metrics in the text form of Prometheus. Each app has a registry of its own; the only importer of prom-client.
 * Whoever measures gets plain functions.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Description = {
  /** `snake_case` with its base unit last; counters end with `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
};

/** A value of a gauge, and the values of its labels in their order. */
export type Sample = { readonly labels?: readonly string[]; readonly value: number };

export type Metrics = {
  /** Makes a counter. The function adds to the series of these label values, 1 if left out. */
  readonly counter: (description: Description) => (labels: readonly string[], by?: number) => void;
  /** Makes a histogram. The function notes one duration in the series of these label values. */
  readonly histogram: (
    description: Description & { readonly bucketsSeconds: readonly number[] },
  ) => (labels: readonly string[], seconds: number) => void;
  /** Makes a gauge that is read whenever somebody asks; what is left out of the samples is not shown. */
  readonly gauge: (
    description: Description,
    read: () => readonly Sample[] | Promise<readonly Sample[]>,
  ) => void;
  /** Everything, as it is now. */
  readonly print: () => Promise<{ readonly contentType: string; readonly text: string }>;
};

/** A new registry, with the metrics of the process itself (`process_*`, `nodejs_*`). */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    counter: ({ name, help, labels = [] }) => {
      const counter = new Counter({ name, help, labelNames: [...labels], registers });
      const seriesOf = remember((values) => counter.labels(...values));
      return (values, by = 1) => seriesOf(values).inc(by);
    },
    histogram: ({ name, help, labels = [], bucketsSeconds }) => {
      const buckets = [...bucketsSeconds];
      const histogram = new Histogram({ name, help, labelNames: [...labels], buckets, registers });
      const seriesOf = remember((values) => histogram.labels(...values));
      return (values, seconds) => seriesOf(values).observe(seconds);
    },
    gauge: ({ name, help, labels = [] }, read) => {
      const gauge = new Gauge({
        name,
        help,
        labelNames: [...labels],
        registers,
        collect: async () => {
          const samples = await read();
          gauge.reset();
          if (labels.length === 0) gauge.remove();
          for (const { labels: values = [], value } of samples) gauge.labels(...values).set(value);
        },
      });
    },
    print: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

/** Finds a series by its label values without making label objects each time; there are as many as the labels allow. */
function remember<T>(make: (values: string[]) => T): (values: readonly string[]) => T {
  const known = new Map<string, T>();
  return (values) => {
    const key = values.length === 1 ? (values[0] ?? '') : values.join('\n');
    const found = known.get(key) ?? make([...values]);
    known.set(key, found);
    return found;
  };
}
