// @ts-check
/** The buttons: cut the origin for everybody, and switch peers off for this window. */

import { byId, show } from "./format.js";

const CUT = "/demo/api/cut";

/** The windows of this browser tell each other when the origin is cut. */
const windows = new BroadcastChannel("p2pcdn demo");

/** @param {"vod" | "live"} kind */
export function setUpSwitches(kind) {
  const cut = button("cut");
  if (kind === "live") {
    cut.disabled = true;
    cut.title = "A live stream ends where its origin does.";
  } else {
    cut.addEventListener("click", () => void tell(!isOn("cut")));
    windows.addEventListener("message", ({ data }) => showCut(data === true));
    addEventListener("focus", () => void ask());
    void ask();
  }
  button("off").addEventListener("click", () => {
    const off = !isOn("off");
    /** @type {any} */ (window).p2pcdn?.configure({ p2p: !off });
    turn("off", off, off ? "Peers are off: switch on" : "Peers off");
  });
}

async function ask() {
  const answer = await fetch(CUT).catch(() => null);
  if (answer?.ok) showCut((await answer.json()).cut);
}

/** @param {boolean} cut */
async function tell(cut) {
  const answer = await fetch(CUT, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ cut }),
  }).catch(() => null);
  if (!answer?.ok) {
    show("hint", "The server does not answer: is p2pcdn demo still running?");
    return;
  }
  showCut(cut);
  windows.postMessage(cut);
}

/** @param {boolean} cut */
function showCut(cut) {
  if (isOn("cut") === cut) return;
  turn("cut", cut, cut ? "The origin is cut: restore" : "Cut the origin");
  show(
    "hint",
    cut
      ? "The origin answers nothing now. Windows with links play on; a new one has nothing to start with."
      : "The origin answers again.",
  );
}

/** @param {string} id */
function isOn(id) {
  return button(id).dataset["on"] === "true";
}

/**
 * The text says what is, and what pressing again does; so no `aria-pressed`, which would say it
 * a second time.
 * @param {string} id
 * @param {boolean} on
 * @param {string} text
 */
function turn(id, on, text) {
  button(id).dataset["on"] = String(on);
  show(id, text);
}

/** @param {string} id */
function button(id) {
  return /** @type {HTMLButtonElement} */ (byId(id));
}
