/**
 * Bytes of origin and peers, stacked over time, with the offload and the best that was possible;
 * and the same as a table, for whoever cannot see it.
 */

import { Component, createRef } from "preact";
import type { JSX } from "preact";
import uPlot from "uplot";

import { moment, NOTHING, percent, rate } from "./format";
import type { Shown } from "./history";
import type { Range } from "./ranges";

/** The least that the scale goes up to, so that a trickle doesn't look like a flood. */
const LEAST = 100_000;

/** Rows of the table, at most. */
const MOST_ROWS = 60;

interface Props {
  readonly points: readonly Shown[];
  readonly range: Range;
  /** The right end, in seconds since 1970. */
  readonly now: number;
  readonly empty: boolean;
}

interface State {
  /** Which point the pointer is at. */
  at: number | null;
  /** Whether the table is shown. */
  table: boolean;
}

export class Chart extends Component<Props, State> {
  override state: State = { at: null, table: false };
  private readonly frame = createRef<HTMLDivElement>();
  private plot: uPlot | undefined;

  override componentDidMount(): void {
    const frame = this.frame.current;
    if (!frame) return;
    const colour = (name: string) => () => getComputedStyle(frame).getPropertyValue(`--${name}`);
    const plot = new uPlot(this.options(colour, frame), data(this.props.points), frame);
    this.plot = plot;
    new ResizeObserver(() => { plot.setSize(room(frame)); }).observe(frame);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => { plot.redraw(); });
    this.draw();
  }

  override componentDidUpdate(_: Props, before: State): void {
    if (before.at === this.state.at) this.draw();
  }

  override render({ points, range, empty }: Props, { at, table }: State): JSX.Element {
    const shown = at === null ? points.at(-1) : points[at];
    const most = Math.max(0, ...points.map(height));
    const label = `Media per second over the last ${range.name}, ${rate(most)} at the most.`;
    return (
      <section class="card" aria-labelledby="chart-title">
        <div class="title">
          <h2 id="chart-title">Media per second</h2>
          <p class="moment" hidden={at === null}>{shown && moment(shown.at, range.step)}</p>
          <ul class="legend">
            <li class="peers">peers <b>{bytes(shown?.peers)}</b></li>
            <li class="origin">origin <b>{bytes(shown?.origin)}</b></li>
            <li class="offload">offload <b>{share(shown?.offload)}</b></li>
            <li class="best">best possible <b>{share(shown?.best)}</b></li>
          </ul>
        </div>
        <div class="frame">
          <div ref={this.frame} role="img" aria-label={label} class="plot" />
          <p class="empty" hidden={!empty}>No media in the last {range.name}.</p>
        </div>
        <details onToggle={({ currentTarget }) => { this.setState({ table: currentTarget.open }); }}>
          <summary>The chart as a table</summary>
          {table && <Table points={points} step={range.step} />}
        </details>
        <p class="hint">
          Best possible: the origin has to send each byte once for as long as anybody is there who
          may have it; of n viewers of the same, peers can carry 1 − 1/n.
        </p>
      </section>
    );
  }

  private draw(): void {
    const { points, range, now } = this.props;
    this.plot?.batch(() => {
      this.plot?.setData(data(points), false);
      this.plot?.setScale("x", { min: now - range.span, max: now });
      this.plot?.setScale("y", { min: 0, max: niceTop(Math.max(LEAST, ...points.map(height))) });
    });
  }

  private options(colour: (name: string) => () => string, frame: HTMLElement): uPlot.Options {
    const line = { show: false };
    const axis = {
      stroke: colour("muted"),
      font: `12px ${getComputedStyle(frame).fontFamily}`,
      ticks: line,
      gap: 6,
    };
    const grid = { stroke: colour("line"), width: 1 };
    return {
      ...room(frame),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: { x: { auto: false }, y: { auto: false }, share: { range: [0, 1] } },
      axes: [
        {
          ...axis,
          grid: line,
          size: 30,
          space: 76,
          values: (_, times) => times.map((time) => label(time, this.props.range)),
        },
        {
          ...axis,
          scale: "y",
          size: 74,
          grid,
          splits: (_, __, ___, top) => [0, 0.25, 0.5, 0.75, 1].map((part) => part * top),
          values: (_, tops) => tops.map((top) => rate(top).replace(".0 ", " ")),
        },
        {
          ...axis,
          scale: "share",
          // uPlot has this enum in its types alone.
          // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
          side: 1,
          size: 52,
          grid: line,
          splits: () => [0, 0.5, 1],
          values: (_, shares) => shares.map((part) => `${part * 100} %`),
        },
      ],
      series: [
        {},
        { fill: colour("origin"), points: line, width: 0 },
        { fill: colour("peers"), points: line, width: 0 },
        { scale: "share", stroke: colour("best"), points: line, width: 1.5, dash: [2, 3] },
        { scale: "share", stroke: colour("offload"), points: line, width: 2, dash: [7, 3] },
      ],
      hooks: {
        setCursor: [({ cursor }) => { this.setState({ at: cursor.idx ?? null }); }],
      },
    };
  }
}

function Table({ points, step }: { points: readonly Shown[]; step: number }): JSX.Element {
  const every = Math.ceil(points.length / MOST_ROWS);
  const rows = points.filter((_, index) => (points.length - 1 - index) % every === 0).reverse();
  return (
    <div class="scroll" role="group" aria-label="The chart as a table" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Peers</th>
            <th scope="col">Origin</th>
            <th scope="col">Offload</th>
            <th scope="col">Best possible</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ at, peers, origin, offload, best }) => (
            <tr key={at}>
              <th scope="row">{moment(at, step)}</th>
              <td>{bytes(peers)}</td>
              <td>{bytes(origin)}</td>
              <td>{share(offload)}</td>
              <td>{share(best)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The columns of the plot: the whole height, the peers' part of it, and the two shares. */
function data(points: readonly Shown[]): uPlot.AlignedData {
  return [
    points.map(({ at }) => at),
    points.map((point) => (point.origin === null ? null : height(point))),
    points.map(({ peers }) => peers),
    points.map(({ best }) => best),
    points.map(({ offload }) => offload),
  ];
}

function height({ origin, peers }: Shown): number {
  return (origin ?? 0) + (peers ?? 0);
}

/** The least of 1, 2, 4 and 8 times a power of ten that has room for the highest point. */
function niceTop(highest: number): number {
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 4, 8].map((step) => step * power).find((top) => top >= highest) ?? 10 * power;
}

function label(time: number, { span }: Range): string {
  const day = 86_400;
  const midnight = new Date(time * 1000).getHours() + new Date(time * 1000).getMinutes() === 0;
  const options: Intl.DateTimeFormatOptions =
    span > day || (span === day && midnight)
      ? { day: "numeric", month: "short" }
      : { hour: "2-digit", minute: "2-digit" };
  return new Date(time * 1000).toLocaleString("en-GB", options);
}

function room(frame: HTMLElement): { width: number; height: number } {
  return { width: Math.max(200, frame.clientWidth), height: frame.clientHeight };
}

function bytes(value: number | null = null): string {
  return value === null ? NOTHING : rate(value);
}

function share(value: number | null = null): string {
  return value === null ? NOTHING : percent(value);
}
