// @ts-check
/**
 * What all viewers together have saved, from the tracker's stream of server-sent events.
 *
 * Over HTTP/1.1 a browser has six connections to a host for all its windows, and a stream holds
 * one for good: with six windows open there would be none left for the video. So one window
 * follows the stream and tells the others.
 */

import { percent, show, size } from "./format.js";

const STREAM = "/api/v1/stream";

/**
 * @typedef {{ saved_bytes: number, offload: number | null, viewers: number, origin_bytes: number }} Summary
 */

export function followTotals() {
  const windows = new BroadcastChannel("p2pcdn totals");
  windows.addEventListener("message", ({ data }) => showTotals(data));
  const lead = () =>
    new Promise(() => {
      const stream = new EventSource(STREAM); // it connects again by itself
      stream.addEventListener("message", ({ data }) => {
        const { summary } = JSON.parse(data);
        showTotals(summary);
        windows.postMessage(summary);
      });
    });
  // The lock is held until the window closes; then another one gets it. Insecure pages have none.
  if (navigator.locks) void navigator.locks.request("p2pcdn totals", lead);
  else void lead();
}

/** @param {Summary} summary */
function showTotals({ saved_bytes, offload, viewers, origin_bytes }) {
  show("saved", size(saved_bytes));
  const people = viewers === 1 ? "1 viewer" : `${viewers} viewers`;
  show(
    "saved-detail",
    `${percent(offload ?? 0)} of all media came from peers; the origin sent ${size(origin_bytes)}. ${people} now.`,
  );
}
