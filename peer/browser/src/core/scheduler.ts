/**
 * Who is asked for which chunk, and when: a pure function of what is known now.
 *
 * The first, simple rules. The promise is that playback is never worse than plain HTTP, so the
 * origin comes first and peers work where there is time for them:
 *
 *     START     nothing played yet: the origin, at once
 *     URGENT    VOD with less than `LOW_BUFFER` seconds in the buffer, or any segment whose latest
 *               start has come: the origin, at once
 *     otherwise peers that hold the chunk; what nobody holds or loads is fetched by the neighbours
 *               in turn, by their rank for the segment, so that one fetches and the others take it
 *               from him; and nobody waits when nobody is there to wait for
 *
 * The *latest start* of a segment is when the origin has to be asked so that the segment still
 * comes in time, with the throughput that the origin has shown.
 */

import { spansOf, type ChunkKey, type SegmentKey, type Span } from "../model";
import { earliest } from "./manifest";

/** Seconds. Two usual segments: enough to notice that peers fail and still ask the origin. */
const LOW_BUFFER = 4;
/** Seconds kept in hand, whatever the estimates say. */
const GUARD = 0.8;
/** The part of the measured throughput that is counted on. */
const RATE_SHARE = 0.8;
/** Seconds that each rank waits for the one before it. */
const TURN = 0.4;
/** Ranks beyond this one wait no longer than it. */
const LATEST_TURN = 4;
const PER_LINK = 4;
/** Wants open at once. */
const IN_ALL = 16;

/** What the origin has shown so far: seconds to the first byte, and bytes a second. */
export interface Http {
  readonly ttfb: number;
  readonly rate: number;
}

/** A chunk that has not arrived. */
export interface ChunkView {
  readonly number: number;
  /** Links that announced it, and have not said since that they lack it. */
  readonly holders: readonly number[];
  /** Until when a neighbour may be believed to be loading it from the origin. */
  readonly loadingUntil: number | null;
  /** Whether a link has been asked for it. */
  readonly asked: boolean;
}

/** A segment that is wanted and not whole. */
export interface SegmentView {
  readonly key: SegmentKey;
  /** The player asked for it; otherwise it lies ahead, and only peers are asked. */
  readonly demanded: boolean;
  /** When the play head gets there. */
  readonly deadline: number;
  /** When it was first wanted. */
  readonly since: number;
  /** Our rank among ourselves and the neighbours for it. */
  readonly rank: number;
  /** Before this the origin is not asked again: it has just failed us. */
  readonly originAfter: number;
  readonly missingBytes: number;
  /** Those that neither arrived nor are asked of the origin. */
  readonly chunks: readonly ChunkView[];
}

/** A link that can be asked. */
export interface LinkView {
  readonly number: number;
  readonly inFlight: number;
  readonly busyUntil: number;
}

/** All that the decision depends on. */
export interface View {
  /** Whether the player has been given anything yet. */
  readonly started: boolean;
  readonly live: boolean;
  /** Seconds of media in the player's buffer, ahead of the play head. */
  readonly buffer: number;
  /** Until when it is worth waiting for a first link. */
  readonly hopefulUntil: number;
  readonly http: Http;
  readonly segments: readonly SegmentView[];
  readonly links: readonly LinkView[];
}

/** Ask a link for a chunk. */
export interface AskPeer {
  readonly type: "AskPeer";
  readonly link: number;
  readonly key: ChunkKey;
}

/** Ask the origin for a run of chunks. */
export interface AskOrigin {
  readonly type: "AskOrigin";
  readonly key: SegmentKey;
  readonly chunks: Span;
}

/** What to do now, and when to think again if nothing happens before. */
export interface Plan {
  readonly asks: readonly (AskPeer | AskOrigin)[];
  readonly wakeAt: number | null;
}

/** When the origin has to be asked at the latest. */
export function latestStart({ deadline, missingBytes }: SegmentView, http: Http): number {
  return deadline - (http.ttfb + missingBytes / (RATE_SHARE * http.rate) + GUARD);
}

/** Decide. Earlier segments of the view come first. */
export function plan(view: View, now: number): Plan {
  const asks: (AskPeer | AskOrigin)[] = [];
  const wakes: (number | null)[] = [];
  const room = new Room(view.links, now);
  for (const segment of view.segments) {
    const allAt = everythingAt(segment, view, now);
    if (allAt !== null && allAt <= now) {
      asks.push(...askOrigin(segment.key, segment.chunks));
      continue;
    }
    const orphans = segment.chunks.filter(({ holders, asked }) => !holders.length && !asked);
    let orphansAt = allAt === null ? null : Math.min(allAt, turnAt(segment, orphans, view));
    if (orphans.length && orphansAt !== null && orphansAt <= now) {
      asks.push(...askOrigin(segment.key, orphans));
      orphansAt = null;
    }
    wakes.push(allAt, orphansAt);
    asks.push(...room.ask(segment));
  }
  wakes.push(...room.wakes);
  return { asks, wakeAt: earliest(wakes.filter((at) => at !== null && at > now)) };
}

/** When the origin is to be asked for all that is missing; null: never. */
export function everythingAt(segment: SegmentView, view: View, now: number): number | null {
  if (!segment.demanded) return null;
  const urgent = !view.started || (!view.live && view.buffer < LOW_BUFFER);
  return Math.max(urgent ? now : latestStart(segment, view.http), segment.originAfter);
}

/** When it is our turn to ask the origin for chunks that no neighbour holds. */
export function turnAt(segment: SegmentView, orphans: readonly ChunkView[], view: View): number {
  const { since, rank, originAfter } = segment;
  if (!view.links.length) return Math.max(view.hopefulUntil, originAfter);
  const turn = since + Math.min(rank, LATEST_TURN) * TURN;
  return Math.max(turn, originAfter, ...orphans.map(({ loadingUntil }) => loadingUntil ?? 0));
}

function askOrigin(key: SegmentKey, chunks: readonly ChunkView[]): AskOrigin[] {
  const spans = spansOf(chunks.map(({ number }) => number));
  return spans.map((span) => ({ type: "AskOrigin", key, chunks: span }));
}

/** What may still be asked of whom. */
class Room {
  readonly wakes: readonly number[];
  private readonly _open: Map<number, number>;
  private _left: number;

  constructor(links: readonly LinkView[], now: number) {
    this.wakes = links.map(({ busyUntil }) => busyUntil);
    const free = links.filter(({ busyUntil }) => busyUntil <= now);
    this._open = new Map(free.map(({ number, inFlight }) => [number, inFlight]));
    this._left = links.reduce((left, { inFlight }) => left - inFlight, IN_ALL);
  }

  /** Ask the least busy holder of each chunk, as far as there is room. */
  ask({ key, chunks }: SegmentView): AskPeer[] {
    const asks: AskPeer[] = [];
    for (const { number, holders, asked } of chunks) {
      const link = asked || this._left <= 0 ? undefined : this._freest(holders);
      if (link === undefined) continue;
      this._open.set(link, this._inFlight(link) + 1);
      this._left -= 1;
      asks.push({ type: "AskPeer", link, key: { ...key, chunk: number } });
    }
    return asks;
  }

  private _inFlight(link: number): number {
    return this._open.get(link) ?? PER_LINK;
  }

  private _freest(holders: readonly number[]): number | undefined {
    const free = holders.filter((link) => this._inFlight(link) < PER_LINK);
    return free.sort((a, b) => this._inFlight(a) - this._inFlight(b) || a - b)[0];
  }
}
