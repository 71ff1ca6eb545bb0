// @ts-check
/**
 * The dashboard: a range from what the ledger has written, and what happens now from one stream of
 * server-sent events.
 */

import { Chart } from "./chart.js";
import { byId, day, percent, show, size } from "./format.js";
import { History, offload } from "./history.js";
import { followRange } from "./ranges.js";

const STREAM = "/api/v1/stream";
const SERIES = "/api/v1/series";

/** Milliseconds without an event after which the figures are called old; one comes each second. */
const PATIENCE = 5000;

/** Milliseconds until the range is asked for again: what is too old leaves it. */
const AGAIN = 60_000;

/**
 * @typedef {{
 *   saved_bytes: number, offload: number, viewers: number, swarms: number, since: number,
 *   origin_bytes: number, peer_bytes_confirmed: number,
 * }} Summary
 */

const chart = new Chart(/** @type {HTMLCanvasElement} */ (byId("chart")));
const history = new History();
/** @type {import("./ranges.js").Range} */
let range;
let overdue = 0;
let again = 0;
/** Whether the server answers, and how many seconds its clock is ahead of the browser's. */
let connected = false;
let ahead = 0;

followRange((chosen) => {
  range = chosen;
  for (const place of document.querySelectorAll(".range-name")) place.textContent = range.name;
  history.clear();
  if (connected) load();
});
follow();

/** Ask for what was written of the range. */
async function load() {
  clearTimeout(again);
  const asked = range;
  const now = Date.now() / 1000 + ahead;
  const from = Math.floor(now - asked.span);
  const query = `from=${from}&to=${Math.ceil(now + 1)}&step=${asked.step}`;
  let loaded = false;
  try {
    const answer = await fetch(`${SERIES}?${query}`, { cache: "no-store" });
    if (answer.ok && asked === range) {
      history.load(await answer.json());
      showHistory();
    }
    loaded = answer.ok;
  } catch {
    // The stream says that the connection is lost.
  }
  if (asked !== range) return;
  if (!loaded) history.doWithout();
  for (const format of ["csv", "json"]) {
    byId(format).setAttribute("href", `${SERIES}?${query}&format=${format}`);
  }
  clearTimeout(again);
  again = setTimeout(load, loaded ? AGAIN : PATIENCE);
}

function follow() {
  const stream = new EventSource(STREAM);
  stream.addEventListener("open", () => {
    history.restart();
    connected = false;
  });
  stream.addEventListener("message", ({ data }) => {
    const { summary, series } = JSON.parse(data);
    showSummary(summary);
    history.add(series);
    ahead = (series.at(-1)?.at ?? Date.now() / 1000 + ahead) - Date.now() / 1000;
    if (!connected) load(); // whoever answers now may be another process than before
    connected = true;
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
  show("viewers", String(summary.viewers));
  show("swarms", String(summary.swarms));
  show("since", summary.since > 0 ? day(summary.since) : "the start");
  show("ever-offload", moved ? percent(summary.offload) : "–");
  show("ever-saved", size(summary.saved_bytes));
}

function showHistory() {
  const total = history.total(range.span);
  const confirmed = total.peer_bytes_confirmed;
  const moved = total.origin_bytes + confirmed > 0;
  const attempted = total.links_attempted;
  show("offload", moved ? percent(offload(total)) : "–");
  show("saved", size(Math.max(0, confirmed - total.overhead_bytes)));
  show("viewers-max", String(total.viewers_max));
  show("origin", size(total.origin_bytes));
  show("confirmed", size(Math.max(0, confirmed)));
  show("claimed", size(Math.max(0, total.peer_bytes_claimed)));
  show("waste", size(total.waste_bytes));
  show("overhead", size(total.overhead_bytes));
  show("links", attempted > 0 ? percent(Math.max(0, 1 - total.links_failed / attempted)) : "–");
  byId("empty").hidden = moved;
  const points = history.points(range.span);
  const now = points.at(-1);
  show("peers-rate", now ? `${size(now.peers)}/s` : "–");
  show("origin-rate", now ? `${size(now.origin)}/s` : "–");
  chart.show(points, range);
}

/**
 * @param {"live" | "lost"} state
 * @param {string} text
 */
function showState(state, text) {
  byId("status").dataset["state"] = state;
  show("status", text);
}
