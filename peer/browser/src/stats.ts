/** The figures that `getStats` gives. Bytes are of media; times are milliseconds. */

/** Milliseconds from the start of the snippet until something happened first; null until then. */
export interface Timings {
  /** The tracker let us into a swarm. */
  announce: number | null;
  /** The first answer to an offer, ours or another's. */
  answer: number | null;
  /** The first connection. */
  ice: number | null;
  /** The first link with open channels. */
  open: number | null;
  /** The first verified chunk from a peer. */
  firstChunk: number | null;
}

/** What adds up over sessions. */
export interface Figures {
  /** Media from the origin, once each byte. */
  originBytes: number;
  /** Media from peers, verified, once each byte. */
  peerBytes: number;
  /** Media from the browser's own HTTP cache. */
  cacheBytes: number;
  /** Media that HTTP brought in all, aborted requests included, the cache's not. */
  httpBytes: number;
  uploadedBytes: number;
  /** What arrived and was of no use: duplicates, cancelled or rejected chunks. */
  wasteBytes: number;
  /** Links that are up now. */
  links: number;
  linkAttempts: number;
  rejectedChunks: number;
  /** Those of them that came by HTTP: something is wrong with the origin, or a cache before it. */
  originMismatches: number;
}

export interface Stats extends Figures {
  /** Sessions at this moment. */
  sessions: number;
  /** From the request for the first playlist to the first picture; null until then. */
  startupMs: number | null;
  timings: Timings;
}

export function noFigures(): Figures {
  return {
    originBytes: 0,
    peerBytes: 0,
    cacheBytes: 0,
    httpBytes: 0,
    uploadedBytes: 0,
    wasteBytes: 0,
    links: 0,
    linkAttempts: 0,
    rejectedChunks: 0,
    originMismatches: 0,
  };
}

/** The figures of several together. */
export function sum(all: Iterable<Figures>): Figures {
  const total = noFigures();
  for (const figures of all) {
    for (const name of Object.keys(total) as (keyof Figures)[]) total[name] += figures[name];
  }
  return total;
}

/** The page's own clock begins as the snippet does. */
const born = performance.now();

/** Milliseconds, a day, that the tracker takes at most (the wire's own bound). */
export const LONGEST = 86_400_000;

/** Notes when things happened first: on a page, or since one of its players had something to play. */
export class Stopwatch {
  readonly timings: Timings = {
    announce: null,
    answer: null,
    ice: null,
    open: null,
    firstChunk: null,
  };

  private readonly _since: number;

  /** `page` has the page's own times, if these are a player's, which the tracker is told. */
  constructor(private readonly _page?: Stopwatch) {
    this._since = _page ? performance.now() : born;
  }

  mark(name: keyof Timings): void {
    const since = Math.round(performance.now() - this._since);
    this.timings[name] ??= this._page ? Math.min(since, LONGEST) : since;
    this._page?.mark(name);
  }
}
