/** Who takes the demands of a page's players instead of its own peer. */

import type { SegmentKey } from "./model";
import type { Asker } from "./runner";
import type { TokenSource } from "./tokens";

export interface Handover {
  /**
   * Asks for a segment of the content whose playlist is at `url`, needed in `within` seconds; `token`
   * is where its join tokens come from, if it wants any.
   */
  demand(url: string, key: SegmentKey, within: number, asker: Asker, token?: TokenSource): void;
  /** The asker no longer waits. */
  release(asker: Asker): void;
}
