/** What a site may say about its sessions. Everything has a default. */

import { modeOf, type Consent } from "./consent";
import { tokensFrom, type TokenSource } from "./tokens";

/** What a site may say at any time. */
export interface Switches {
  /** Whether to share at all; true by default. */
  p2p?: boolean;
  /** Whether to give to others, too; true by default. */
  upload?: boolean;
  /** Whom to share with, unless the viewer chooses otherwise; `any` by default. */
  mode?: Consent;
  /** Most bytes a second that a player gives; below 32,768 it gives nothing. */
  uploadRate?: number;
  /** Most bytes that a player gives in its session. */
  uploadBudget?: number;
  /** Most bytes that a player gives for each byte of media that it gets. */
  uploadRatio?: number;
  /** A join token, for sites that issue them, or a function that gets one. */
  token?: TokenSource;
}

export interface Options extends Switches {
  /** Address of the end point that serves the media (or of anything beside its snippet). */
  endpoint?: string;
  /** The site's id. The manifest's own by default. */
  site?: string;
  /** Address of the tracker, if it is not the end point. */
  tracker?: string;
  /**
   * Keys of which one has to sign the manifests, by their thumbprints, as `p2pcdn keys` prints them,
   * with spaces between. Without any, the end point is believed when it says which keys it has.
   */
  key?: string;
  /** `required`: nothing is shared before the viewer has chosen. */
  consent?: "required";
  /** Show what happens in a corner of the page. */
  debug?: boolean;
}

const SWITCHES = [
  "p2p",
  "upload",
  "mode",
  "uploadRate",
  "uploadBudget",
  "uploadRatio",
  "token",
] as const;

/** What is given of them, and nothing else. */
export function switchesOf(given: Switches): Switches {
  const some = SWITCHES.filter((name) => given[name] !== undefined);
  return Object.fromEntries(some.map((name) => [name, given[name]]));
}

/** The options of a script tag: `data-site`, `data-p2p` and so on. */
export function optionsOf(script: HTMLOrSVGScriptElement | null): Options {
  if (!script) return {};
  const { site, tracker, p2p, upload, mode, consent, token, tokenUrl, key, debug } = script.dataset;
  const { uploadRate, uploadBudget, uploadRatio } = script.dataset;
  const address = script instanceof HTMLScriptElement ? script.src : "";
  return {
    ...(address && { endpoint: address }),
    ...(site && { site }),
    ...(tracker && { tracker }),
    ...(token && { token }),
    ...(tokenUrl && { token: tokensFrom(tokenUrl) }),
    ...(key !== undefined && { key }),
    ...(mode && { mode: modeOf(mode) }),
    ...(isOn(consent, false) && { consent: "required" }),
    ...(uploadRate && { uploadRate: amountOf(uploadRate) }),
    ...(uploadBudget && { uploadBudget: amountOf(uploadBudget) }),
    ...(uploadRatio && { uploadRatio: amountOf(uploadRatio) }),
    p2p: isOn(p2p, true),
    upload: isOn(upload, true),
    debug: isOn(debug, false),
  };
}

/** The thumbprints of an option; undefined without it. One that says nothing pins nothing. */
export function pinsOf(key: string | undefined): string[] | undefined {
  return key?.toLowerCase().split(/[\s,]+/);
}

/** A number as a page has it; what is none means nothing: it was meant as a limit. */
export function amountOf(value: string | number): number {
  return Number(value) || 0;
}

/** An attribute without a value means yes, as in HTML. */
function isOn(value: string | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  return !["false", "off", "no", "0"].includes(value.trim().toLowerCase());
}
