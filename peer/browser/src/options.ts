/** What a site may say about its sessions. Everything has a default. */

import { tokensFrom, type TokenSource } from "./tokens";

export interface Options {
  /** Address of the end point that serves the media (or of anything beside its snippet). */
  endpoint?: string;
  /** The site's id. The manifest's own by default. */
  site?: string;
  /** Address of the tracker, if it is not the end point. */
  tracker?: string;
  /** Whether to share at all; true by default. */
  p2p?: boolean;
  /** Whether to give to others, too; true by default. */
  upload?: boolean;
  /** A join token, for sites that issue them, or a function that gets one. */
  token?: TokenSource;
  /**
   * Keys of which one has to sign the manifests, by their thumbprints, as `p2pcdn keys` prints them,
   * with spaces between. Without any, the end point is believed when it says which keys it has.
   */
  key?: string;
  /** Show what happens in a corner of the page. */
  debug?: boolean;
}

/** What can be switched at any time. */
export interface Switches {
  p2p?: boolean;
  upload?: boolean;
  token?: TokenSource;
}

/** The options of a script tag: `data-site`, `data-p2p` and so on. */
export function optionsOf(script: HTMLOrSVGScriptElement | null): Options {
  if (!script) return {};
  const { site, tracker, p2p, upload, token, tokenUrl, key, debug } = script.dataset;
  const address = script instanceof HTMLScriptElement ? script.src : "";
  return {
    ...(address && { endpoint: address }),
    ...(site && { site }),
    ...(tracker && { tracker }),
    ...(token && { token }),
    ...(tokenUrl && { token: tokensFrom(tokenUrl) }),
    ...(key !== undefined && { key }),
    p2p: isOn(p2p, true),
    upload: isOn(upload, true),
    debug: isOn(debug, false),
  };
}

/** The thumbprints of an option; undefined without it. One that says nothing pins nothing. */
export function pinsOf(key: string | undefined): string[] | undefined {
  return key?.toLowerCase().split(/[\s,]+/);
}

/** An attribute without a value means yes, as in HTML. */
function isOn(value: string | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  return !["false", "off", "no", "0"].includes(value.trim().toLowerCase());
}
