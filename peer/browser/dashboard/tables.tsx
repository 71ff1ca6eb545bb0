/** The figures by content, network, country and browser, and why things failed. */

import { Component } from "preact";
import type { CSSProperties, JSX } from "preact";

import type { Board } from "./board";
import { offload } from "./figures";
import type { Failure, NetworkShare, Share, Total } from "./figures";
import { count, duration, NOTHING, percent, size } from "./format";
import { reasonOf } from "./reasons";

/** What the API calls those of whom nothing is known. */
const UNKNOWN = "unknown";

/** Rows that are shown at first. */
const FEW = 8;

interface Row {
  readonly name: string;
  readonly share: Share;
}

interface Props {
  readonly id: string;
  readonly title: string;
  /** What the first column has. */
  readonly of: string;
  readonly rows: readonly Row[];
  /** Which setting names the database without which nothing is known of them. */
  readonly setting?: string | undefined;
}

/** What viewers can be told apart by, beside what they watch. */
const KINDS = [
  { kind: "operator", title: "By network", of: "Network", setting: "tracker.mmdb" },
  { kind: "country", title: "By country", of: "Country", setting: "tracker.mmdb" },
  { kind: "browser", title: "By browser", of: "Browser" },
  { kind: "connection", title: "By connection", of: "Connection" },
  { kind: "access", title: "By kind of network", of: "Kind" },
  { kind: "rendition", title: "By rendition", of: "Its bit rate" },
  { kind: "nat", title: "By NAT type", of: "NAT type" },
];

/** Of which most browsers, or databases, say nothing. */
const RARE = new Set(["connection", "access"]);

/** What links go by, in words. */
const ROUTES = new Map([
  ["host", "addresses of their own: within a network, or without NAT"],
  ["srflx", "addresses that a NAT gave"],
  ["prflx", "addresses found on the way"],
  ["relay", "relays that you run"],
]);

/** The steps to a first chunk from a peer. */
const STEPS = [
  ["announce_time", "let in by the tracker"],
  ["answer_time", "the first answer to an offer"],
  ["ice_time", "the first connection"],
  ["open_time", "the first link"],
  ["first_chunk_time", "the first chunk from a peer"],
] as const;

export function Tables({ board }: { board: Board }): JSX.Element {
  const contents = board.contents.map((share) => ({ name: share.path ?? share.content, share }));
  const kinds = KINDS.map((kind) => ({ ...kind, rows: rowsOf(board.networks, kind.kind) }));
  const shown = kinds.filter(
    ({ kind, rows }) => !RARE.has(kind) || rows.some(({ name }) => name !== UNKNOWN),
  );
  return (
    <div class="tables">
      <Breakdown id="contents" title="By content" of="Content" rows={contents} />
      {shown.map(({ kind, title, of, rows, setting }) => (
        <Breakdown key={kind} id={kind} title={title} of={of} rows={rows} setting={setting} />
      ))}
      <Routes rows={rowsOf(board.networks, "route")} />
      <Steps total={board.quality} />
      <Failures failures={board.failures} />
    </div>
  );
}

function rowsOf(networks: readonly NetworkShare[], kind: string): Row[] {
  return networks.filter(({ by }) => by === kind).map((share) => ({ name: share.name, share }));
}

class Breakdown extends Component<Props, { all: boolean }> {
  override state = { all: false };

  override render({ id, title, of, rows, setting }: Props): JSX.Element {
    const unknown = setting !== undefined && rows.every(({ name }) => name === UNKNOWN);
    const shown = this.state.all ? rows : rows.slice(0, FEW);
    const most = Math.max(1, ...rows.map(({ share }) => watched(share)));
    return (
      <section class="card" id={id} aria-labelledby={`${id}-title`}>
        <h2 id={`${id}-title`}>{title}</h2>
        {rows.length === 0 ? (
          <p class="none">Nothing in this range, yet.</p>
        ) : (
          <div class="scroll" role="group" aria-labelledby={`${id}-title`} tabIndex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{of}</th>
                  <th scope="col">Media</th>
                  <th scope="col">Offload</th>
                  <th scope="col">Viewers</th>
                  <th scope="col">Start-up</th>
                  <th scope="col">Rebuffering</th>
                  <th scope="col">Links made</th>
                </tr>
              </thead>
              <tbody>
                {shown.map(({ name, share }) => (
                  <Line key={name} name={name} share={share} most={most} />
                ))}
              </tbody>
            </table>
          </div>
        )}
        {rows.length > 0 && unknown && (
          <p class="none">
            They are told apart once the setting <code>{setting}</code> names a database.
          </p>
        )}
        {rows.length > FEW && (
          <button type="button" onClick={() => { this.setState({ all: !this.state.all }); }}>
            {this.state.all ? "Show fewer" : `Show all ${count(rows.length)}`}
          </button>
        )}
      </section>
    );
  }
}

function Line({ name, share, most }: Row & { readonly most: number }): JSX.Element {
  const part = (bytes: number): CSSProperties => ({
    width: `${(100 * Math.max(0, bytes)) / most}%`,
  });
  const { origin_bytes, peer_bytes_confirmed } = share;
  return (
    <tr>
      {/* Names come from strangers: as text, and each with a direction of its own. */}
      <th scope="row"><bdi>{name}</bdi></th>
      <td class="media">
        <data value={watched(share)}>{size(watched(share))}</data>
        <span class="bar" aria-hidden="true">
          <i class="peers" style={part(peer_bytes_confirmed)} />
          <i class="origin" style={part(origin_bytes)} />
        </span>
      </td>
      <td>{or(share.offload === null ? null : offload(share), percent)}</td>
      <td>{count(share.viewers_max)}</td>
      <td>{or(share.startup_p50, duration)}</td>
      <td>{or(share.rebuffer_ratio, percent)}</td>
      <td>{or(share.link_success, percent)}</td>
    </tr>
  );
}

function Routes({ rows }: { rows: readonly Row[] }): JSX.Element {
  const most = [...rows].sort((one, other) => other.share.links_made - one.share.links_made);
  return (
    <section class="card" id="route" aria-labelledby="route-title">
      <h2 id="route-title">What links go by</h2>
      {rows.length === 0 ? (
        <p class="none">Nothing in this range, yet.</p>
      ) : (
        <div class="scroll" role="group" aria-labelledby="route-title" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">By</th>
                <th scope="col">Links</th>
                <th scope="col">Media</th>
              </tr>
            </thead>
            <tbody>
              {most.map(({ name, share }) => (
                <tr key={name}>
                  <th scope="row"><bdi>{ROUTES.get(name) ?? name}</bdi></th>
                  <td>{count(share.links_made)}</td>
                  <td>{size(Math.max(0, share.peer_bytes_confirmed + share.relayed_bytes))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Steps({ total }: { total: Total | undefined }): JSX.Element {
  return (
    <section class="card" id="steps" aria-labelledby="steps-title">
      <h2 id="steps-title">How long it takes</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">From having something to play to</th>
            <th scope="col">On average</th>
          </tr>
        </thead>
        <tbody>
          {STEPS.map(([name, title]) => (
            <tr key={name}>
              <th scope="row">{title}</th>
              <td>{or(total?.[name] ?? null, duration)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Failures({ failures }: { failures: readonly Failure[] }): JSX.Element {
  return (
    <section class="card" id="failures" aria-labelledby="failures-title">
      <h2 id="failures-title">Why things failed</h2>
      {failures.length === 0 ? (
        <p class="none">Nothing failed in this range.</p>
      ) : (
        <div class="scroll" role="group" aria-labelledby="failures-title" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Reason</th>
                <th scope="col">Times</th>
              </tr>
            </thead>
            <tbody>
              {failures.map((failure) => (
                <tr key={`${failure.kind} ${failure.reason}`}>
                  <th scope="row"><bdi>{reasonOf(failure)}</bdi></th>
                  <td><data value={failure.count}>{count(failure.count)}</data></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function watched({ origin_bytes, peer_bytes_confirmed }: Share): number {
  return origin_bytes + Math.max(0, peer_bytes_confirmed);
}

function or(value: number | null, text: (value: number) => string): string {
  return value === null ? NOTHING : text(value);
}
