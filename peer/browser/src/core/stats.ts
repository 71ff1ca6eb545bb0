/** The figures of one session: what came from where, and what became of it. */

/**
 * Totals since the session began, in bytes of media unless a name says otherwise.
 *
 * `originBytes`, `peerBytes` and `cacheBytes` count what was verified and kept, once each; whatever
 * else arrived is `wasteBytes`.
 */
export interface Stats {
  originBytes: number;
  peerBytes: number;
  cacheBytes: number;
  uploadedBytes: number;
  wasteBytes: number;
  rejectedChunks: number;
  /** Rejected chunks that came by HTTP: from the origin, or from a cache before it. */
  originMismatches: number;
  /** Links to somebody that were begun. */
  linkAttempts: number;
  /** Links that are up now. */
  links: number;
}

export function newStats(): Stats {
  return {
    originBytes: 0,
    peerBytes: 0,
    cacheBytes: 0,
    uploadedBytes: 0,
    wasteBytes: 0,
    rejectedChunks: 0,
    originMismatches: 0,
    linkAttempts: 0,
    links: 0,
  };
}
