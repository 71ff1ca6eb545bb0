// @ts-check
/**
 * What the window says about itself, once a second, all of it from `window.p2pcdn.getStats()` and
 * the events of the session.
 */

import { Chart } from "./chart.js";
import { byId, duration, percent, rate, show, size } from "./format.js";
import { showLinks } from "./graph.js";

const EVERY = 1000;

/** Seconds that a rate in the table is the mean of: two segments, since they come in one piece. */
const AVERAGE = 4;

/**
 * @typedef {{
 *   originBytes: number, peerBytes: number, cacheBytes: number, uploadedBytes: number,
 *   links: number, startupMs: number | null, timings: Record<string, number | null>,
 * }} Stats
 */

/** @param {any} hls */
export function setUpPanel(hls) {
  const { p2pcdn } = /** @type {any} */ (window);
  if (!p2pcdn || !hls) {
    show("share-text", "this browser plays it by plain HTTP, without peers");
    return;
  }
  followLinks(p2pcdn.attach(hls));
  const chart = new Chart(/** @type {HTMLCanvasElement} */ (byId("chart")));
  /** @type {Stats[]} */
  const past = [p2pcdn.getStats()];
  setInterval(() => {
    /** @type {Stats} */
    const now = p2pcdn.getStats();
    chart.push(since(past.at(-1) ?? now, now));
    showRates(since(past[0] ?? now, now), past.length);
    showTotals(now);
    showTimes(now);
    show("overlay-links", String(now.links));
    past.push(now);
    past.splice(0, past.length - AVERAGE);
  }, EVERY);
}

/**
 * @param {Stats} before
 * @param {Stats} now
 */
function since(before, now) {
  return {
    peers: now.peerBytes - before.peerBytes,
    origin: now.originBytes - before.originBytes,
    cache: now.cacheBytes - before.cacheBytes,
    given: now.uploadedBytes - before.uploadedBytes,
  };
}

/** @param {EventTarget} session the one that the snippet has made for the player */
function followLinks(session) {
  /** @type {string[]} */
  let peers = [];
  showLinks(peers);
  session.addEventListener("peer", (event) => {
    const { peer, up } = /** @type {CustomEvent<{ peer: string, up: boolean }>} */ (event).detail;
    peers = peers.filter((known) => known !== peer);
    if (up) peers.push(peer);
    showLinks(peers);
  });
}

/**
 * @param {ReturnType<typeof since>} moved
 * @param {number} seconds that it took
 */
function showRates({ peers, origin, cache, given }, seconds) {
  show("peers-rate", rate(peers / seconds));
  show("origin-rate", rate(origin / seconds));
  show("cache-rate", rate(cache / seconds));
  show("given-rate", rate(given / seconds));
  show("overlay-peers", rate(peers / seconds));
  show("overlay-origin", rate(origin / seconds));
}

/** @param {Stats} now */
function showTotals({ peerBytes, originBytes, cacheBytes, uploadedBytes }) {
  const all = peerBytes + originBytes + cacheBytes;
  show("peers-total", size(peerBytes));
  show("origin-total", size(originBytes));
  show("cache-total", size(cacheBytes));
  show("given-total", size(uploadedBytes));
  if (all === 0) return;
  show("share", percent(peerBytes / all));
  show("share-text", "from other viewers");
}

/** @param {Stats} now */
function showTimes({ startupMs, timings }) {
  show("startup", duration(startupMs));
  show("announce", duration(timings["announce"] ?? null));
  show("open", duration(timings["open"] ?? null));
  show("first-chunk", duration(timings["firstChunk"] ?? null));
}
