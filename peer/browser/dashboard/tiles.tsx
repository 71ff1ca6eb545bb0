/** The key figures, and where the bytes went. */

import type { ComponentChildren, JSX } from "preact";

import type { Board } from "./board";
import { bestPossible, offload, saved, verdict } from "./figures";
import type { Figures } from "./figures";
import { count, duration, money, NOTHING, percent, size, unitPrice } from "./format";

interface TileProps {
  readonly id: string;
  readonly title: string;
  /** The figure as it is, for whoever reads the page by a program; null if it is not known. */
  readonly value: number | null;
  readonly text: (value: number) => string;
  readonly strong?: boolean;
  readonly children: ComponentChildren;
}

function Tile({ id, title, value, text, strong, children }: TileProps): JSX.Element {
  return (
    <dl class={strong ? "tile strong" : "tile"}>
      <dt>{title}</dt>
      <dd>
        {value === null ? (
          <span id={id}>{NOTHING}</span>
        ) : (
          <data id={id} value={value}>
            {text(value)}
          </data>
        )}
      </dd>
      <dd class="note">{children}</dd>
    </dl>
  );
}

/** What a site owner looks at first. */
export function KeyFigures({ board, total }: { board: Board; total: Figures }): JSX.Element {
  const { quality, price, summary } = board;
  const isKnown = summary?.offload !== null;
  const best = isKnown ? bestPossible(total) : null;
  const ratio = quality?.rebuffer_ratio ?? null;
  const p95 = quality?.startup_p95 ?? null;
  const linkTime = quality?.link_time ?? null;
  return (
    <section class="tiles" aria-label="Key figures">
      <Tile strong id="offload" title="Offload" value={isKnown ? offload(total) : null} text={percent}>
        {isKnown ? "of all media came from peers" : "unknown: the origin’s bytes are not counted here"}
        {best !== null && `; best possible ${percent(best)}`}
      </Tile>
      <Tile strong id="saved" title="Saved" value={saved(total)} text={size}>
        that the origin did not send
      </Tile>
      {price && (
        <Tile
          strong
          id="money"
          title="Money saved"
          value={(saved(total) / 1e9) * price.per_gb}
          text={(amount) => money(amount, price.currency)}
        >
          at {unitPrice(price.per_gb, price.currency)} per GB
        </Tile>
      )}
      <Tile id="viewers" title="Viewers now" value={summary?.viewers ?? null} text={count}>
        of {count(summary?.swarms ?? 0)} contents; at most {count(total.viewers_max)} at once
      </Tile>
      <Tile id="startup" title="Start-up" value={quality?.startup_p50 ?? null} text={duration}>
        {p95 === null ? (
          "to the first picture"
        ) : (
          <>
            to the first picture, in the median;{" "}
            <data id="startup-p95" value={p95}>{duration(p95)}</data> for one in 20
          </>
        )}
      </Tile>
      <Tile id="rebuffering" title="Rebuffering" value={ratio} text={percent}>
        of the time viewers waited{" "}
        {ratio === null ? "" : <em class={verdict(ratio)}>{verdict(ratio)}</em>}
        {quality && ratio !== null && (
          <>
            {" "}
            <data id="stalls" value={quality.stalls}>{count(quality.stalls)}</data> times in{" "}
            <data id="played" value={quality.played_seconds}>
              {duration(quality.played_seconds)}
            </data>
          </>
        )}
      </Tile>
      <Tile id="links" title="Links made" value={quality?.link_success ?? null} text={percent}>
        of introductions came to a link{linkTime !== null && `, in ${duration(linkTime)}`}
      </Tile>
    </section>
  );
}

/** Every byte is in one of these. */
export function Bytes({ total }: { total: Figures }): JSX.Element {
  const lost = "manifests, playlists, signalling; taken off what is saved";
  const tile = (id: string, title: string, bytes: number, note: string): JSX.Element => (
    <Tile id={id} title={title} value={Math.max(0, bytes)} text={size}>
      {note}
    </Tile>
  );
  return (
    <section aria-labelledby="bytes-title">
      <h2 id="bytes-title">Where the bytes went</h2>
      <div class="tiles small">
        {tile("origin", "From the origin", total.origin_bytes, "media, counted at its socket")}
        {tile("confirmed", "From peers", total.peer_bytes_confirmed, "confirmed by both ends")}
        {tile("edge", "From edge peers", total.edge_bytes, "that you run: they save nothing")}
        {tile("relayed", "By relays", total.relayed_bytes, "that you run: they save nothing")}
        {tile("claimed", "Claimed", total.peer_bytes_claimed, "by one end yet, or not played yet; not saved")}
        {tile("disputed", "Disputed", total.peer_bytes_disputed, "the ends disagree; not saved")}
        {tile("waste", "Waste", total.waste_bytes, "came twice, too late or wrong")}
        {tile("overhead", "Overhead", total.overhead_bytes, lost)}
      </div>
    </section>
  );
}
