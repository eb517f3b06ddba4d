import type { KubeObject } from "./object.ts";

/** The data of `kubectl get`: `meta.k8s.io/v1` Table. */
export interface Table {
  readonly columnDefinitions: readonly TableColumn[];
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object: KubeObject }[];
}

/** A column of a Table. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly description?: string;
  /** 0: always shown; higher: only where there is room (`kubectl get -o wide`). */
  readonly priority: number;
}

/** The table as kubectl prints it: upper-case heads, columns three blanks apart. */
export function tableText(table: Table, options: { wide?: boolean } = {}): string {
  const shown = table.columnDefinitions
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => options.wide || column.priority === 0);
  const lines = [
    shown.map(({ column }) => column.name.toUpperCase()),
    ...table.rows.map(({ cells }) => shown.map(({ index }) => String(cells[index] ?? "<none>"))),
  ];
  const widths = shown.map((_, place) => Math.max(...lines.map((line) => line[place]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, place) => cell.padEnd(widths[place] ?? 0))
        .join("   ")
        .trimEnd(),
    )
    .join("\n");
}
