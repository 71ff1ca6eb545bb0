// @ts-check
/** The dashboard: everything it shows comes from one stream of server-sent events. */

import { Chart } from "./chart.js";
import { byId, percent, show, size } from "./format.js";
import { History } from "./history.js";

const STREAM = "/api/v1/stream";

/** Milliseconds without an event after which the figures are called old; one comes each second. */
const PATIENCE = 5000;

/**
 * @typedef {{
 *   origin_bytes: number, peer_bytes_confirmed: number, peer_bytes_claimed: number,
 *   waste_bytes: number, overhead_bytes: number, saved_bytes: number, offload: number,
 *   viewers: number, swarms: number,
 * }} Summary
 */

const chart = new Chart(/** @type {HTMLCanvasElement} */ (byId("chart")));
const history = new History();
let overdue = 0;

follow();

function follow() {
  const stream = new EventSource(STREAM);
  stream.addEventListener("open", () => history.clear());
  stream.addEventListener("message", ({ data }) => {
    const { summary, series } = JSON.parse(data);
    showSummary(summary);
    history.add(series);
    showHistory();
    showState("live", "Live");
    clearTimeout(overdue);
    overdue = setTimeout(() => showState("lost", "Nothing new for a while …"), PATIENCE);
  });
  stream.addEventListener("error", () => {
    clearTimeout(overdue);
    showState("lost", "Connection lost, trying again …");
    // The browser tries again by itself, unless it was given an answer that is no stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, PATIENCE);
  });
}

/** @param {Summary} summary */
function showSummary(summary) {
  const moved = summary.origin_bytes + summary.peer_bytes_confirmed > 0;
  show("offload", moved ? percent(summary.offload) : "–");
  show("saved", size(summary.saved_bytes));
  show("viewers", String(summary.viewers));
  show("swarms", String(summary.swarms));
  show("origin", size(summary.origin_bytes));
  show("confirmed", size(summary.peer_bytes_confirmed));
  show("claimed", size(summary.peer_bytes_claimed));
  show("waste", size(summary.waste_bytes));
  show("overhead", size(summary.overhead_bytes));
}

function showHistory() {
  const points = history.points();
  const now = points.at(-1);
  chart.show(points);
  show("peers-rate", now ? `${size(now.peers)}/s` : "–");
  show("origin-rate", now ? `${size(now.origin)}/s` : "–");
  byId("empty").hidden = points.some(({ origin, peers }) => origin + peers > 0);
}

/**
 * @param {"live" | "lost"} state
 * @param {string} text
 */
function showState(state, text) {
  byId("status").dataset["state"] = state;
  show("status", text);
}
