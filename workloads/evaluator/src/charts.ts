import { escaped } from "./document.ts";
import type { Estimate } from "./intervals.ts";

/*
 * Plots as SVG that is embedded in a page and takes its colours from it (`page.css`). Each has a name and a description
 * for readers who can't see it; every mark has a title.
 */

/** A row of an interval plot. `tone` picks its colour. */
export type Row = { label: string; value: Estimate; tone: "plain" | "main" | "control"; words: string };
export type Line = { at: number; label: string };
export type Plot = {
  title: string;
  description: string;
  rows: readonly Row[];
  domain: readonly [number, number];
  unit: string;
  lines?: readonly Line[];
};

const width = 720;
const left = 204;
const right = 96;
const rowHeight = 30;
const mostCharacters = 26;

/** A dot with a whisker for every row, over one axis. */
export function intervalPlot({ title, description, rows, domain: [low, high], unit, lines = [] }: Plot): string {
  const bottom = 14 + rows.length * rowHeight;
  const x = (value: number) => number(left + ((value - low) / (high - low)) * (width - left - right));
  const ticks = ticksOf(low, high).map(
    (tick) =>
      `<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="6" y2="${bottom}"/><text class="tick" x="${x(tick)}" y="${bottom + 18}">${tick}${unit}</text>`,
  );
  const marks = lines.map(
    ({ at, label }) => `<line class="mark" x1="${x(at)}" x2="${x(at)}" y1="6" y2="${bottom}"><title>${escaped(label)}</title></line>`,
  );
  const drawn = rows.map(({ label, value, tone, words }, index) => {
    const y = 14 + index * rowHeight + rowHeight / 2;
    return [
      `<g class="${tone}"><title>${escaped(`${label}: ${words}`)}</title>`,
      `<text class="name" x="${left - 14}" y="${y + 5}">${escaped(short(label))}</text>`,
      `<line class="whisker" x1="${x(value.lower)}" x2="${x(value.upper)}" y1="${y}" y2="${y}"/>`,
      `<circle class="dot" cx="${x(value.estimate)}" cy="${y}" r="5"/>`,
      `<text class="value" x="${width - right + 14}" y="${y + 5}">${escaped(words)}</text></g>`,
    ].join("");
  });
  return svg(title, description, bottom + 26, [...ticks, ...marks, ...drawn]);
}

/** `share`: how much of the cell is filled, 0 to 1. */
export type Cell = { share: number; words: string };
export type Matrix = {
  title: string;
  description: string;
  rows: readonly string[];
  columns: readonly { gap: boolean; cells: readonly Cell[] }[];
};

const cell = 11;
const gap = 5;

/** A cell for each row and column, filled according to its share; columns that don't fit continue below. */
export function matrixPlot({ title, description, rows, columns }: Matrix): string {
  const height = rows.length * (cell + 2) + 14;
  let [x, band] = [left, 0];
  const drawn = columns.flatMap(({ gap: apart, cells }) => {
    if (apart && x > left) x += gap;
    if (x + cell >= width) [x, band] = [left, band + 1];
    const at = x;
    x += cell + 2;
    return cells.map(({ share, words }, row) => cellAt(at, band * height + row * (cell + 2) + 6, share, words));
  });
  const names = Array.from({ length: band + 1 }, (_, each) =>
    rows.map(
      (name, row) => `<text class="name" x="${left - 14}" y="${each * height + row * (cell + 2) + 15}">${escaped(short(name))}</text>`,
    ),
  ).flat();
  return svg(title, description, (band + 1) * height, [...names, ...drawn]);
}

function cellAt(x: number, y: number, share: number, words: string): string {
  const full = number(cell * share);
  return [
    `<g class="cell"><title>${escaped(words)}</title><rect class="hollow" x="${x}" y="${y}" width="${cell}" height="${cell}"/>`,
    share > 0 ? `<rect class="filled" x="${x}" y="${number(y + cell - full)}" width="${cell}" height="${full}"/>` : "",
    "</g>",
  ].join("");
}

/** A line over steps; `tone` picks its colour, its place among the others its dashes. */
export type Curve = { label: string; tone: Row["tone"]; points: readonly (readonly [step: number, value: number])[] };
export type Curves = { title: string; description: string; curves: readonly Curve[]; lines?: readonly Line[] };

const axis = 72;
const plotHeight = 190;
const legendHeight = 20;
const dashes = 4;
/** The most points of a line that are marked. */
const mostDots = 40;
const longestKey = 90;

/** Lines over steps, from 0 on both axes, and what each is. A line of one point is a dot. */
export function linePlot({ title, description, curves, lines = [] }: Curves): string {
  const points = curves.flatMap((curve) => curve.points);
  const last = Math.max(...points.map(([step]) => step), 1);
  const [low, high] = [Math.min(0, ...points.map(([, value]) => value)), Math.max(0, ...points.map(([, value]) => value))];
  const top = high > low ? high + (high - low) / 20 : 1;
  const bottom = plotHeight + 8;
  const x = (step: number) => number(axis + (step / last) * (width - axis - 16));
  const y = (value: number) => number(bottom - ((value - low) / (top - low)) * plotHeight);
  const rows = ticksOf(low, top).map(
    (tick) =>
      `<line class="grid" x1="${axis}" x2="${width - 16}" y1="${y(tick)}" y2="${y(tick)}"/><text class="scale" x="${axis - 10}" y="${y(tick) + 4}">${tick}</text>`,
  );
  const steps = ticksOf(0, last).map((tick) => `<text class="tick" x="${x(tick)}" y="${bottom + 20}">${tick}</text>`);
  const marks = lines.map(
    ({ at, label }) =>
      `<line class="mark" x1="${axis}" x2="${width - 16}" y1="${y(at)}" y2="${y(at)}"><title>${escaped(label)}</title></line>`,
  );
  const drawn = curves.map(({ label, tone, points }, index) => {
    const dots = points.length > mostDots ? [] : points;
    const key = bottom + 44 + index * legendHeight;
    return [
      `<g class="${tone} dash${index % dashes}"><title>${escaped(label)}</title>`,
      `<polyline class="curve" points="${points.map(([step, value]) => `${x(step)},${y(value)}`).join(" ")}"/>`,
      ...dots.map(
        ([step, value]) =>
          `<circle class="point" cx="${x(step)}" cy="${y(value)}" r="3"><title>${escaped(`${label}, step ${step}: ${value}`)}</title></circle>`,
      ),
      `<line class="curve" x1="${axis}" x2="${axis + 32}" y1="${key - 5}" y2="${key - 5}"/>`,
      `<text x="${axis + 42}" y="${key}">${escaped(short(label, longestKey))}</text></g>`,
    ].join("");
  });
  return svg(title, description, bottom + 34 + curves.length * legendHeight, [...rows, ...steps, ...marks, ...drawn]);
}

function svg(title: string, description: string, height: number, parts: readonly string[]): string {
  return `<svg role="img" aria-label="${escaped(title)}" viewBox="0 0 ${width} ${height}"><title>${escaped(title)}</title><desc>${escaped(description)}</desc>${parts.join("")}</svg>`;
}

/** Round numbers between two ends, about five of them. */
export function ticksOf(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(9)) + 0);
}

/** A name shortened to the space; the mark's title has the whole name. */
function short(name: string, most = mostCharacters): string {
  return name.length > most ? `${name.slice(0, most - 1)}…` : name;
}

/** Two digits are finer than any screen, and the same on every machine. */
function number(value: number): number {
  return Math.round(value * 100) / 100 + 0;
}
