/** What happens, in a corner of the page (`data-debug`); under any content security policy. */

import type { Stats } from "./stats";

const EVERY = 1_000;

const LOOK =
  "position:fixed;right:8px;bottom:8px;z-index:2147483647;padding:8px;white-space:pre;" +
  "pointer-events:none;font:12px/1.5 monospace;background:#111d;color:#eee";

export function showOverlay(read: () => Stats): void {
  const panel = document.createElement("div");
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
  const rate = (name: "httpBytes" | "peerBytes" | "uploadedBytes"): string =>
    size(Math.max(0, now[name] - before[name]));
  const { originBytes, peerBytes } = now;
  const share = Math.round((100 * peerBytes) / Math.max(1, originBytes + peerBytes));
  return [
    `origin  ${rate("httpBytes")}/s  ${size(originBytes)}`,
    `peers   ${rate("peerBytes")}/s  ${size(peerBytes)}  ${share} %`,
    `given   ${rate("uploadedBytes")}/s  ${size(now.uploadedBytes)}`,
    `links   ${now.links}   start-up ${now.startupMs ?? "-"} ms`,
  ].join("\n");
}

function size(bytes: number): string {
  const [value, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : [bytes / 1e6, "MB"];
  return `${value.toFixed(1)} ${unit}`.padStart(9);
}
