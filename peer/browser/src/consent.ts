/**
 * The viewer's own choice, which beats the site's and is remembered.
 *
 *     off       no peers
 *     lan       peers in the local network only: nothing is asked of STUN, and no address but a
 *               local one is offered or taken
 *     network   peers of the same network operator; until trackers can tell, the same as `lan`
 *     any       whatever the site allows
 *     relay     peers through a relay only, which hides addresses; there are no relays yet, so the
 *               same as `off`
 *
 * A choice that can't be honoured yet means less sharing, never more.
 */

export const CONSENTS = ["off", "lan", "network", "any", "relay"] as const;

export type Consent = (typeof CONSENTS)[number];

const KEY = "p2pcdn.consent";

/** Without a storage that lasts, the choice lasts as long as the page. */
let choice: Consent | undefined = read();

export function consented(): { readonly p2p: boolean; readonly hostOnly: boolean } {
  return {
    p2p: choice !== "off" && choice !== "relay",
    hostOnly: choice === "lan" || choice === "network",
  };
}

/** Remembers the choice; what is none of them changes nothing. */
export function choose(mode: Consent): void {
  if (!CONSENTS.includes(mode)) return;
  choice = mode;
  try {
    localStorage.setItem(KEY, mode);
  } catch {
    // A page may not have a storage.
  }
}

function read(): Consent | undefined {
  try {
    const stored = localStorage.getItem(KEY);
    return CONSENTS.find((mode) => mode === stored);
  } catch {
    return undefined;
  }
}
