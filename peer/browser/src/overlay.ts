/**
 * What happens, in a corner of the page (`data-debug`); under any content security policy.
 *
 * The words are the dashboard's, and so is what they mean: what comes by HTTP counts as it arrives, of
 * whatever use it is, and the offload is what came from peers of both. Nothing is computed but that
 * share and what a second has brought: the figures are those of `getStats()`.
 */

import { percent, rate, size } from "../dashboard/format";
import type { Stats } from "./stats";

const EVERY = 1_000;

const LOOK =
  "position:fixed;right:8px;bottom:8px;z-index:2147483647;padding:8px;white-space:pre;" +
  "pointer-events:none;font:12px/1.5 monospace;background:#111d;color:#eee";

export function showOverlay(read: () => Stats): void {
  const panel = document.createElement("div");
  panel.id = "p2pcdn-overlay";
  panel.style.cssText = LOOK; // by the object model, which no policy forbids
  let before = read();
  setInterval(() => {
    const now = read();
    panel.textContent = describe(now, before);
    before = now;
    if (!panel.isConnected) (document.body as HTMLElement | null)?.append(panel);
  }, EVERY);
}

/** The text of the panel; `before` is what the figures were a second ago. */
export function describe(now: Stats, before: Stats): string {
  const bytes = (name: "httpBytes" | "peerBytes" | "uploadedBytes"): string =>
    `${size(now[name]).padStart(7)}  ${rate(Math.max(0, now[name] - before[name])).padStart(9)}`;
  const { httpBytes, peerBytes, startupMs } = now;
  const share = percent(peerBytes / Math.max(1, httpBytes + peerBytes));
  return [
    `From the origin  ${bytes("httpBytes")}`,
    `From peers       ${bytes("peerBytes")}`,
    `To peers         ${bytes("uploadedBytes")}`,
    `Waste            ${size(now.wasteBytes).padStart(7)}`,
    `Offload          ${share.padStart(7)}`,
    `Links ${now.links} of ${now.linkAttempts}   Start-up ${startupMs ?? "–"} ms`,
  ].join("\n");
}
