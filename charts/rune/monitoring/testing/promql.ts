import { parser } from "@prometheus-io/lezer-promql";

export interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

export interface Expression {
  /** Texts that the grammar doesn't accept; empty if there are none. */
  readonly mistakes: readonly string[];
  readonly selectors: readonly Selector[];
  /** Labels that results are grouped or matched by. */
  readonly groupedBy: readonly string[];
}

/** Parses PromQL, including Grafana's variables. */
export function read(expression: string): Expression {
  const text = expression.replaceAll("$__rate_interval", "5m").replaceAll("$__range", "1h");
  const [mistakes, groupedBy]: [string[], string[]] = [[], []];
  const selectors: { metric: string; labels: string[] }[] = [];
  let isGrouping = false;
  parser.parse(text).iterate({
    enter: ({ name, type, from, to }) => {
      const words = text.slice(from, to);
      if (type.isError) mistakes.push(text.slice(Math.max(0, from - 20), to + 20));
      if (name === "VectorSelector") selectors.push({ metric: "", labels: [] });
      if (name === "GroupingLabels") isGrouping = true;
      if (name === "Identifier") Object.assign(selectors.at(-1) ?? {}, { metric: words });
      if (name === "LabelName") (isGrouping ? groupedBy : (selectors.at(-1)?.labels ?? groupedBy)).push(words);
    },
    leave: ({ name }) => {
      if (name === "GroupingLabels") isGrouping = false;
    },
  });
  return { mistakes, selectors, groupedBy };
}
