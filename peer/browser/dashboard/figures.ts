/** What the API tells the page (docs/reference/api.md), and what comes of it. */

/** What adds up: bytes, numbers of things, and seconds. */
const SUMS = [
  "origin_bytes",
  "least_bytes",
  "elsewhere_bytes",
  "peer_bytes_confirmed",
  "peer_bytes_claimed",
  "peer_bytes_disputed",
  "edge_bytes",
  "relayed_bytes",
  "waste_bytes",
  "overhead_bytes",
  "links_attempted",
  "links_made",
  "links_failed",
  "seconds",
  "viewer_seconds",
] as const;

/** What a stretch of time had. */
export type Figures = Record<(typeof SUMS)[number] | "viewers_max", number>;

/** How viewers fared; null where nobody did. */
export interface Quality {
  /** Seconds to the first picture: in the median, and for one in 20. */
  readonly startup_p50: number | null;
  readonly startup_p95: number | null;
  /** Of the time that they spent, what they waited in the midst of it. */
  readonly rebuffer_ratio: number | null;
  /** Of the introductions that are over, what came to a link, and seconds until it was open. */
  readonly link_success: number | null;
  readonly link_time: number | null;
}

/** How a range went by, beside what adds up. */
export interface Total extends Quality {
  readonly played_seconds: number;
  readonly stalls: number;
  /** Seconds from when a player had something to play to each step of getting connected, on average. */
  readonly announce_time: number | null;
  readonly answer_time: number | null;
  readonly ice_time: number | null;
  readonly open_time: number | null;
  readonly first_chunk_time: number | null;
}

/** Figures of `step` seconds from `at`. */
export type Point = Figures & { readonly at: number };

/** `/api/v1/series`. */
export interface Series {
  readonly step: number;
  readonly as_of: number;
  readonly total: Figures & Total;
  readonly points: readonly Point[];
}

/** A row of `/api/v1/contents` and `/api/v1/networks`. */
export interface Share extends Quality {
  readonly origin_bytes: number;
  readonly elsewhere_bytes: number;
  readonly peer_bytes_confirmed: number;
  /** Null where it cannot be told: what the origin sends is not counted by this ledger. */
  readonly offload: number | null;
  readonly relayed_bytes: number;
  readonly links_made: number;
  readonly seconds: number;
  readonly viewer_seconds: number;
  readonly viewers_max: number;
}

export type ContentShare = Share & {
  /** Its id, and where it is, if the server knows. */
  readonly content: string;
  readonly path: string | null;
};

export type NetworkShare = Share & { readonly by: string; readonly name: string };

/** A row of `/api/v1/failures`. */
export interface Failure {
  readonly kind: string;
  readonly reason: string;
  readonly count: number;
}

/** One second, as the stream has it; `at` is in seconds since 1970. */
export interface Sample {
  readonly at: number;
  readonly origin_bytes: number;
  readonly least_bytes: number;
  readonly elsewhere_bytes: number;
  readonly peer_bytes: number;
  readonly claimed_bytes: number;
  readonly disputed_bytes: number;
  readonly edge_bytes: number;
  readonly waste_bytes: number;
  readonly overhead_bytes: number;
  readonly links_attempted: number;
  readonly links_made: number;
  readonly links_failed: number;
  readonly viewers: number;
}

/** `/api/v1/summary`: everything since the ledger began. */
export interface Summary {
  readonly origin_bytes: number;
  readonly peer_bytes_confirmed: number;
  readonly saved_bytes: number;
  /** Null where peers have sent some, and nobody counts what the origin sends. */
  readonly offload: number | null;
  readonly viewers: number;
  readonly swarms: number;
  readonly since: number;
}

export function noFigures(): Figures {
  const names = [...SUMS, "viewers_max"] as const;
  return Object.fromEntries(names.map((name) => [name, 0])) as Figures;
}

export function add(total: Figures, more: Figures): void {
  for (const name of SUMS) total[name] += more[name];
  total.viewers_max = Math.max(total.viewers_max, more.viewers_max);
}

/** A second of the stream as figures like those that were written. */
export function ofSample(sample: Sample): Figures {
  return {
    ...noFigures(),
    origin_bytes: sample.origin_bytes,
    least_bytes: sample.least_bytes,
    elsewhere_bytes: sample.elsewhere_bytes,
    peer_bytes_confirmed: sample.peer_bytes,
    peer_bytes_claimed: sample.claimed_bytes,
    peer_bytes_disputed: sample.disputed_bytes,
    edge_bytes: sample.edge_bytes,
    waste_bytes: sample.waste_bytes,
    overhead_bytes: sample.overhead_bytes,
    links_attempted: sample.links_attempted,
    links_made: sample.links_made,
    links_failed: sample.links_failed,
    seconds: 1,
    viewer_seconds: sample.viewers,
    viewers_max: sample.viewers,
  };
}

type Media = Pick<Figures, "origin_bytes" | "elsewhere_bytes" | "peer_bytes_confirmed">;

/** Media that came by HTTP: from the origin, or a CDN where they stay. */
export function byHttp({ origin_bytes, elsewhere_bytes }: Omit<Media, "peer_bytes_confirmed">): number {
  return origin_bytes + elsewhere_bytes;
}

/** Confirmed of all media bytes, 0 to 1; null where there were none. */
export function offload(figures: Media): number | null {
  const { peer_bytes_confirmed } = figures;
  const watched = byHttp(figures) + peer_bytes_confirmed;
  return watched > 0 ? Math.max(0, peer_bytes_confirmed / watched) : null;
}

/** What peers carried, less what it took to bring them together; never below 0. */
export function saved({ peer_bytes_confirmed, overhead_bytes }: Figures): number {
  return Math.max(0, peer_bytes_confirmed - overhead_bytes);
}

/**
 * The most that the offload could have been, 0 to 1: what the origin need not have sent, of all
 * media. Null where there were none.
 */
export function bestPossible(figures: Media & Pick<Figures, "least_bytes">): number | null {
  const watched = byHttp(figures) + figures.peer_bytes_confirmed;
  return watched > 0 ? Math.max(0, (watched - figures.least_bytes) / watched) : null;
}

export type Verdict = "good" | "acceptable" | "concerning";

/** What to think of a share of time that viewers spent waiting. */
export function verdict(rebuffering: number): Verdict {
  if (rebuffering < 0.01) return "good";
  return rebuffering <= 0.03 ? "acceptable" : "concerning";
}
