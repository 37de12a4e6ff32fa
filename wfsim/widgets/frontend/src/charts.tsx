import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

/** Charts as `wfsim.widgets.charts` gives them: places go from 0 to 1, words are made in Python. */
type Tick = [number, string];
export interface MarkData {
  run: number;
  at: number;
  span: [number, number] | null;
  value: string;
  interval: string;
  n: string;
  note: string;
}
export interface BarsData {
  id: string;
  kind: "bars";
  title: string;
  ticks: Tick[];
  rows: { label: string; marks: MarkData[] }[];
  more: number;
}
export interface LineData {
  name: string;
  colour: number;
  x: number[];
  y: number[];
  low: number[] | null;
  high: number[] | null;
}
export interface LinesData {
  id: string;
  kind: "lines";
  title: string;
  ticks: Tick[];
  times: Tick[];
  lines: LineData[];
  top: number;
  whens: string[];
  banded: boolean;
  states: string[];
  focus: string;
}
export interface RunData {
  place: number;
  name: string;
  said: string;
  differs: string[];
}

const WIDTH = 560;
const LEFT = 8;
const SPAN = 340;
const ROW = 18;
const LABEL = 18;
const LONGEST = 60;
const EVERY = 6;

const cut = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);
const spoken = (mark: MarkData) => [mark.value, mark.interval, mark.note].filter(Boolean).join(", ");
/** Three digits of a number, as Python says them. */
export const short = (value: number) =>
  value >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
/** The classes of a line: one of eight colours and one of three ways to dash it; neutral for the rest. */
export const hue = (colour: number) => (colour === 0 ? "rest" : `hue-${(colour - 1) % 8} dash-${(colour - 1) % 3}`);

interface Framed {
  title: string;
  id: string;
  head: string[];
  rows: string[][];
  children: ComponentChildren;
}

/** A chart with its title, and the same as a table. */
function Frame({ title, id, head, rows, children }: Framed) {
  return (
    <figure class="chart" data-chart={id} aria-label={title}>
      <figcaption class="title">{title}</figcaption>
      {children}
      <details>
        <summary>Table</summary>
        <table>
          <thead>
            <tr>
              {head.map((each) => (
                <th key={each} scope="col">
                  {each}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.slice(0, 2).join(" ")}>
                <th scope="row">{row[0]}</th>
                {row.slice(1).map((cell, k) => (
                  <td key={head[k + 1]}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

/** Numbers with their intervals, a bar for each run. */
export function Bars({ chart, runs }: { chart: BarsData; runs: RunData[] }) {
  const names = new Map(runs.map((run) => [run.place, run.name]));
  const several = runs.length > 1;
  let y = 4;
  const rows = chart.rows.map((row) => {
    const top = y;
    y += LABEL + row.marks.length * ROW + 8;
    return { ...row, top };
  });
  const bottom = y;
  const table = chart.rows.flatMap((row) =>
    row.marks.map((mark) => [row.label, names.get(mark.run) ?? "", mark.value, mark.interval, mark.n, mark.note]),
  );
  return (
    <Frame
      title={chart.title}
      id={chart.id}
      head={["What", "Run", "Value", "95 % interval", "Observations", "Note"]}
      rows={table}
    >
      {rows.length === 0 ? (
        <p class="quiet">Nothing to show.</p>
      ) : (
        <svg viewBox={`0 0 ${WIDTH} ${bottom + 22}`} role="img" aria-label={`${chart.title}; as a table below`}>
          {chart.ticks.map(([at, text]) => (
            <g key={text} class="tick">
              <path d={`M${LEFT + at * SPAN} 0V${bottom}`} />
              <text x={LEFT + at * SPAN} y={bottom + 15} text-anchor={at === 0 ? "start" : "middle"}>
                {text}
              </text>
            </g>
          ))}
          {rows.map((row) => (
            <g key={row.label}>
              <text x={LEFT} y={row.top + 13}>
                <title>{row.label}</title>
                {cut(row.label)}
              </text>
              {row.marks.map((mark, k) => {
                const at = row.top + LABEL + k * ROW;
                const middle = at + ROW / 2;
                return (
                  <g key={mark.run} class={`datum run-${mark.run}`}>
                    <title>{`${row.label}${several ? `, ${names.get(mark.run)}` : ""}: ${spoken(mark)}`}</title>
                    <rect class="area" x={LEFT} y={at} width={SPAN} height={ROW} />
                    <rect class="bar" x={LEFT} y={at + 3} width={Math.max(mark.at * SPAN, 1)} height={ROW - 6} />
                    {mark.span && (
                      <path
                        class="whisker"
                        d={`M${LEFT + mark.span[0] * SPAN} ${middle - 4}v8m0 -4H${LEFT + mark.span[1] * SPAN}m0 -4v8`}
                      />
                    )}
                    <text x={LEFT + SPAN + 10} y={middle + 4}>
                      {mark.value}
                      <tspan class="quiet">{mark.span ? ` (${mark.interval})` : " (no interval)"}</tspan>
                    </text>
                  </g>
                );
              })}
            </g>
          ))}
        </svg>
      )}
      {chart.more > 0 && <p class="quiet">{chart.more} more in lab.history.summary().</p>}
    </Frame>
  );
}

const HEIGHT = 250;
const AXIS = 58;
const ACROSS = WIDTH - AXIS - 24;
const TOP = 8;

/** Which point of a line is nearest to a place across. */
export const nearest = (xs: number[], at: number) =>
  xs.reduce((best, x, k) => (Math.abs(x - at) < Math.abs(xs[best]! - at) ? k : best), 0);

interface LinesProps {
  chart: LinesData;
  runs: RunData[];
  onFocus(state: string): void;
}

/** How many cases were in states, over time; one state through all runs if it is chosen. */
export function Lines({ chart, runs, onFocus }: LinesProps) {
  const [at, setAt] = useState<number | null>(null);
  const x = (place: number) => AXIS + place * ACROSS;
  const y = (place: number) => TOP + (1 - place) * HEIGHT;
  const way = (xs: number[], ys: number[]) => xs.map((each, k) => `${x(each).toFixed(1)},${y(ys[k]!).toFixed(1)}`);
  const value = (line: LineData, place: number) => short((line.y[nearest(line.x, place)] ?? 0) * chart.top);
  const look = (line: LineData) => (chart.focus ? `run-${line.colour}` : hue(line.colour));
  const first = chart.lines[0];
  const places = first ? first.x.filter((_, k) => k % EVERY === 0) : [];
  const rows = places.map((place, k) => [
    chart.whens[k * EVERY] ?? "",
    ...chart.lines.map((line) => value(line, place)),
  ]);
  const pointed = at === null || !first ? null : nearest(first.x, at);
  return (
    <Frame title={chart.title} id={chart.id} head={["After", ...chart.lines.map((line) => line.name)]} rows={rows}>
      <svg
        viewBox={`0 0 ${WIDTH} ${TOP + HEIGHT + 40}`}
        role="img"
        aria-label={`${chart.title}; as a table below`}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const place = (((event.clientX - box.x) / box.width) * WIDTH - AXIS) / ACROSS;
          setAt(place < 0 || place > 1 ? null : place);
        }}
        onPointerLeave={() => setAt(null)}
      >
        {chart.ticks.map(([place, text]) => (
          <g key={text} class="tick">
            <path d={`M${AXIS} ${y(place)}h${ACROSS}`} />
            <text x={AXIS - 8} y={y(place) + 4} text-anchor="end">
              {text}
            </text>
          </g>
        ))}
        {chart.times.map(([place, text]) => (
          <g key={text} class="tick">
            <path d={`M${x(place)} ${TOP}v${HEIGHT}`} />
            <text x={x(place)} y={TOP + HEIGHT + 16} text-anchor="middle">
              {text}
            </text>
          </g>
        ))}
        <text x={AXIS + ACROSS / 2} y={TOP + HEIGHT + 34} text-anchor="middle" class="quiet">
          time since the beginning
        </text>
        <text transform={`translate(12 ${TOP + HEIGHT / 2}) rotate(-90)`} text-anchor="middle" class="quiet">
          cases
        </text>
        {chart.lines.map(
          (line) =>
            line.low && (
              <polygon
                key={line.name}
                class={`band ${look(line)}`}
                points={[...way(line.x, line.high!), ...way(line.x, line.low).reverse()].join(" ")}
              />
            ),
        )}
        {chart.lines.map((line) => (
          <polyline key={line.name} class={`line ${look(line)}`} points={way(line.x, line.y).join(" ")} />
        ))}
        {pointed !== null && <path class="cursor" d={`M${x(first!.x[pointed]!)} ${TOP}v${HEIGHT}`} />}
      </svg>
      <ul class="legend">
        {chart.lines.map((line) => (
          <li key={line.name}>
            <svg viewBox="0 0 28 10" width="28" height="10" aria-hidden="true">
              <path class={`line ${look(line)}`} d="M0 5H28" />
            </svg>{" "}
            {line.name}
            {pointed !== null && <strong> {value(line, first!.x[pointed]!)}</strong>}
          </li>
        ))}
        <li class="quiet">
          {pointed !== null
            ? `after ${chart.whens[pointed]}`
            : chart.banded
              ? "bands: 95 % intervals of the mean"
              : "one replication: what happened in it, no interval"}
        </li>
      </ul>
      <label class="row">
        Follow one state{runs.length > 1 ? " through all runs" : ""}{" "}
        <select value={chart.focus} onChange={(event) => onFocus(event.currentTarget.value)}>
          <option value="">all states of now</option>
          {chart.states.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </Frame>
  );
}
