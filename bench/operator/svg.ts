import type { Spread } from "./statistics.ts";
import { short } from "./table.ts";

export interface Bar {
  readonly label: string;
  readonly color: string;
  readonly spread: Spread | undefined;
}

export interface Panel {
  readonly title: string;
  /** Under the title: the unit, and which direction is better. */
  readonly unit: string;
  readonly bars: readonly Bar[];
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const width = { panel: 250, gap: 20, margin: 24, label: 0 };
const height = { head: 74, rowTitle: 28, panelHead: 34, bar: 20, gap: 18, foot: 20 };

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

const text = (x: number, y: number, content: string, style = "") => `<text x="${x}" y="${y}"${style}>${escaped(content)}</text>`;
const rect = (x: number, y: number, w: number, fill: string) =>
  `<rect x="${x}" y="${y}" width="${round(w)}" height="13" rx="2" fill="${fill}"/>`;
const round = (value: number) => Math.round(value * 10) / 10;

/** A picture of small bar charts: a row for each workload, a bar for each operator, a thin line from the least to the most of its samples. */
export function picture(title: string, subtitle: string, legend: readonly Pick<Bar, "label" | "color">[], rows: readonly Row[]): string {
  const columns = Math.max(1, ...rows.map(({ panels }) => panels.length));
  const w = 2 * width.margin + columns * width.panel + (columns - 1) * width.gap;
  const parts: string[] = [text(width.margin, 30, title, ' class="title"'), text(width.margin, 50, subtitle, ' class="muted"')];
  legend.forEach(({ label, color }, index) => {
    const x = width.margin + index * 190;
    parts.push(rect(x, 60, 13, color), text(x + 19, 71, label));
  });
  let y = height.head + 16;
  for (const row of rows) {
    parts.push(text(width.margin, y + 18, row.title, ' class="row"'));
    row.panels.forEach((panel, column) => {
      parts.push(panelAt(width.margin + column * (width.panel + width.gap), y + height.rowTitle, panel));
    });
    const bars = Math.max(0, ...row.panels.map((panel) => panel.bars.length));
    y += height.rowTitle + height.panelHead + bars * height.bar + height.gap;
  }
  const style =
    "text{font:12px system-ui,sans-serif;fill:#1f2933}.title{font-size:18px;font-weight:600}.row{font-size:14px;font-weight:600}.muted{fill:#616e7c}.value{font-size:11px}";
  const h = y + height.foot;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" role="img" aria-label="${escaped(title)}">`,
    `<style>${style}</style><rect width="100%" height="100%" fill="#ffffff"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function panelAt(x: number, y: number, { title, unit, bars }: Panel): string {
  const most = Math.max(...bars.map(({ spread }) => spread?.max ?? 0));
  // Room for the value behind the longest bar.
  const scale = most > 0 ? (width.panel - 60) / most : 0;
  const parts = [text(x, y + 12, title), text(x, y + 27, unit, ' class="muted value"')];
  bars.forEach(({ color, spread, label }, index) => {
    const top = y + height.panelHead + index * height.bar;
    if (!spread) {
      parts.push(text(x, top + 11, `${label}: not measured`, ' class="muted value"'));
      return;
    }
    const [from, to] = [x + spread.min * scale, x + spread.max * scale];
    parts.push(
      rect(x, top, Math.max(1, spread.median * scale), color),
      `<line x1="${round(from)}" x2="${round(to)}" y1="${top + 6.5}" y2="${top + 6.5}" stroke="#1f2933" stroke-width="1.5"/>`,
      text(round(Math.max(to, x + spread.median * scale) + 5), top + 11, short(spread.median), ' class="value"'),
    );
  });
  return `<g>${parts.join("")}</g>`;
}
