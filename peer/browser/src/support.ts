/** Whether peers are possible here at all. */

import { sayOnce } from "./say";

/** False, and said once, if anything is missing that peers can't be trusted or reached without. */
export function supported(): boolean {
  const platform: Record<string, unknown> = {
    // Missing on http:// pages, where WebRTC works: unchecked bytes must not come in by it.
    "crypto.subtle (is the page served by https?)": (globalThis.crypto as Crypto | undefined)
      ?.subtle,
    RTCPeerConnection: globalThis.RTCPeerConnection,
    WebSocket: globalThis.WebSocket,
  };
  const missing = Object.keys(platform).filter((name) => !platform[name]);
  if (missing.length > 0) {
    sayOnce(`plain HTTP, no peers: this page has no ${missing.join(", no ")}.`);
  }
  return missing.length === 0;
}
