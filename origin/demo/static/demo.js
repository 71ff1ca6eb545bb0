// @ts-check
/** The demo page: it makes a player, and shows what the snippet makes of it. */

import { byId, show } from "./format.js";
import { setUpPanel } from "./panel.js";
import { play, sourceOf } from "./player.js";
import { setUpSwitches } from "./switches.js";
import { followTotals } from "./totals.js";

const query = new URLSearchParams(location.search);
const kind = query.has("live") ? "live" : "vod";
const film = kind === "live" ? "live" : query.get("film") || "demo";

/** Works without the clipboard, which insecure pages don't have: the text is selected. */
async function copySnippet() {
  const text = byId("snippet");
  getSelection()?.selectAllChildren(text);
  await navigator.clipboard?.writeText(text.textContent ?? "");
  show("copy", navigator.clipboard ? "Copied" : "Press Ctrl+C");
  setTimeout(() => show("copy", "Copy"), 2000);
}

document.querySelector(`nav [data-kind=${kind}]`)?.setAttribute("aria-current", "page");
byId("ahead").hidden = kind === "live";
byId("another").setAttribute("href", location.href);
show("snippet", `<script defer src="${location.origin}/p2pcdn.js" data-site="pk_demo"></script>`);
byId("copy").addEventListener("click", () => void copySnippet());

const video = /** @type {HTMLVideoElement} */ (byId("video"));
const hls = play(video, sourceOf(film), kind === "vod");
setUpSwitches(kind);
followTotals();
// Deferred scripts run in the order of their tags: the snippet is there once the page is.
addEventListener("DOMContentLoaded", () => setUpPanel(hls));
