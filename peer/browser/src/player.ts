/** What a session must know of a player, whichever it is. */

import type { Watched } from "./core/ports";
import type { Source } from "./http-source";
import type { SegmentKey } from "./model";

/** Where a segment lies. */
export interface Located {
  readonly url: string;
  /** Where it begins in what `url` names, in bytes. */
  readonly offset: number;
  /** Whether it is all of that. */
  readonly whole: boolean;
}

/** Where the player is; see the core's `Playing`. */
export interface Whereabouts {
  readonly rendition: string;
  readonly head: number;
  readonly last: number;
  readonly buffer: number;
  readonly live: boolean;
  /** Seconds of media that the player wants to have in its buffer, if it says so. */
  readonly target: number | undefined;
  /** How well it has played, if the player can be watched. */
  readonly watched?: Watched;
}

export interface Player {
  whereabouts(): Whereabouts | undefined;
  /** Nothing for a segment that its playlists no longer name. */
  locate(key: SegmentKey): Located | undefined;
  /** How this player makes requests for a segment. */
  source(key: SegmentKey): Source;
  /** Let the player go on without us. */
  release(): void;
}
