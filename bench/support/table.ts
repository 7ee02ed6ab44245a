/** A table in plain text: the first column to the left, figures to the right. */

export type Table = {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
};

/** Writes it with aligned columns. */
export function formatTable({ columns, rows }: Table): string {
  const lines = [columns, ...rows].map((row) => row.map(show));
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const written = lines.map((line) =>
    line.map((cell, index) => align(cell, widths[index] ?? 0, index === 0)).join('  '),
  );
  const rule = '-'.repeat(written[0]?.length ?? 0);
  return [written[0], rule, ...written.slice(1)].join('\n');
}

function show(cell: string | number): string {
  return typeof cell === 'number' ? cell.toLocaleString('en') : cell;
}

function align(cell: string, width: number, isFirst: boolean): string {
  return isFirst ? cell.padEnd(width) : cell.padStart(width);
}
