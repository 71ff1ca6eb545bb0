/**
 * The viewer's own choice, which beats the page's and is remembered.
 *
 *     off       no peers
 *     lan       peers in the local network only: nothing is asked of STUN, and no address but a
 *               local one is offered or taken
 *     network   peers of the same network operator
 *     any       anybody that the site allows
 *     relay     the same, through the site's relays alone: no peer learns the viewer's address
 *
 * What a site allows its viewers at the tracker is a bound to both: a choice means less sharing than
 * that, never more. Where a page needs to ask first (`data-consent="required"`), nothing is joined,
 * asked for or given until the viewer has chosen; that a choice is needed is told by an event of the
 * window, `p2pcdn:consentneeded`, once a page.
 */

import type { Mode } from "./core/ports";

export type Consent = Mode;

const MODES: readonly Mode[] = ["off", "lan", "network", "any", "relay"];

const KEY = "p2pcdn.consent";

/** Without a storage that lasts, the choice lasts as long as the page. */
let choice: Mode | undefined = read();

let asked = false;

/** What the viewer chose, if anything. */
export function chosen(): Mode | undefined {
  return choice;
}

/** Remembers the choice; what is none of them changes nothing. */
export function choose(mode: Mode): void {
  if (!MODES.includes(mode)) return;
  choice = mode;
  try {
    localStorage.setItem(KEY, mode);
  } catch {
    // A page may not have a storage.
  }
}

/** A mode as a page has it; what is none means `off`, since somebody meant to say something. */
export function modeOf(text: string): Mode {
  return MODES.find((mode) => mode === text.trim().toLowerCase()) ?? "off";
}

/** Tells the page that the viewer has to be asked. */
export function ask(): void {
  if (asked) return;
  asked = true;
  dispatchEvent(new CustomEvent("p2pcdn:consentneeded"));
}

function read(): Mode | undefined {
  try {
    const stored = localStorage.getItem(KEY);
    return MODES.find((mode) => mode === stored);
  } catch {
    return undefined;
  }
}
