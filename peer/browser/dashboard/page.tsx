/** The whole page, as it follows from what is known. */

import type { JSX } from "preact";

import type { Board, State } from "./board";
import { Chart } from "./chart";
import { FirstSteps } from "./first-steps";
import { offload } from "./figures";
import { day, NOTHING, percent, size } from "./format";
import { withoutShares } from "./history";
import { RANGES } from "./ranges";
import type { Range } from "./ranges";
import { Tables } from "./tables";
import { Bytes, KeyFigures } from "./tiles";

const STATES: Record<State, string> = {
  waiting: "Connecting …",
  live: "Live",
  quiet: "Nothing new for a while …",
  lost: "Connection lost, trying again …",
  refused: "Not let in: open the link with ?token= that the server printed",
};

interface Props {
  readonly board: Board;
  readonly choose: (range: Range) => void;
}

export function Page({ board, choose }: Props): JSX.Element {
  const { history, range, state, summary } = board;
  const total = history.total(range.span);
  const points = history.points(range.span);
  const idle = summary?.origin_bytes === 0 && summary.peer_bytes_confirmed === 0;
  return (
    <>
      <header>
        <p class="brand">
          <img src="icon.svg" alt="" width="28" height="28" /> p2pcdn <span>dashboard</span>
        </p>
        {board.nodes > 1 && <p id="nodes" class="status">One of {board.nodes} nodes</p>}
        <p id="status" class="status" role="status" data-state={state}>{STATES[state]}</p>
      </header>
      <main>
        <h1 class="hidden">What viewers have saved the origin</h1>
        <Ranges chosen={range} choose={choose} />
        <KeyFigures board={board} total={total} />
        {idle && <FirstSteps site={board.site} />}
        <Chart
          points={summary?.offload === null ? withoutShares(points) : points}
          range={range}
          now={history.now}
          empty={offload(total) === null}
        />
        {!idle && <Bytes total={total} />}
        {!idle && <Tables board={board} />}
      </main>
      <footer>
        <p>
          {summary && summary.since > 0 ? `Since ${day(summary.since)}: ` : "Since the start: "}
          <b>{summary ? size(summary.saved_bytes) : NOTHING}</b> saved, offload{" "}
          <b>{idle || typeof summary?.offload !== "number" ? NOTHING : percent(summary.offload)}</b>.
        </p>
        <Export board={board} />
      </footer>
    </>
  );
}

function Ranges({ chosen, choose }: Omit<Props, "board"> & { chosen: Range }): JSX.Element {
  return (
    <fieldset class="ranges">
      <legend class="hidden">Range of time</legend>
      {RANGES.map((range) => (
        <label key={range.id}>
          <input
            type="radio"
            name="range"
            value={range.id}
            checked={range === chosen}
            onChange={() => { choose(range); }}
          />
          <span>{range.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** What can be had of the range, by path. */
const EXPORTS = {
  series: "over time",
  contents: "by content",
  networks: "by network",
  failures: "failures",
};

function Export({ board }: { board: Board }): JSX.Element {
  return (
    <p>
      The last {board.range.name}
      {Object.entries(EXPORTS).map(([path, title], index) => (
        <span key={path}>
          {index ? "; " : " "}
          {title} as{" "}
          <a href={board.url(path, "csv")} aria-label={`${title} as CSV`}>CSV</a>{" "}
          <a href={board.url(path, "json")} aria-label={`${title} as JSON`}>JSON</a>
        </span>
      ))}
      .
    </p>
  );
}
