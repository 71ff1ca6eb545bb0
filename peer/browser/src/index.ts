/**
 * The module: for pages that bundle hls.js.
 *
 *     import { attach } from "p2pcdn";
 *     const session = attach(hls);
 *     session.addEventListener("stats", ({ detail }) => ...);
 *
 * The end point is found by the address of what the player is given; options say otherwise.
 */

import type { Consent } from "./consent";
import * as Local from "./local";
import type { Options, Switches } from "./options";
import { Page } from "./page";
import type { Hls } from "./players/hls-types";
import type { Session } from "./session";
import type { Stats } from "./stats";

export { showOverlay } from "./overlay";
export { thumbprint } from "./tokens";
export { version } from "./version";
export type { Consent } from "./consent";
export type { Options, Switches } from "./options";
export type { TokenRequest, TokenSource } from "./tokens";
export type { Session, SessionEvents } from "./session";
export type { Figures, Stats, Timings } from "./stats";

/** A player: an instance of hls.js 1.4 or later. */
export type Player = object;

let page: Page | undefined;

function thePage(): Page {
  page ??= new Page();
  return page;
}

/** Lets a player share; the session that it has already, if it has one. */
export function attach(hls: Player, options?: Options): Session {
  return thePage().attach(hls as Hls, options);
}

/** The figures of all sessions together. */
export function getStats(): Stats {
  return thePage().getStats();
}

/** Switches sharing, or giving, on or off for all sessions. */
export function configure(switches: Switches): void {
  thePage().configure(switches);
}

/**
 * The native peer on the viewer's machine: whether one that was paired is there, and what pairs one,
 * by the code that it shows. Once it is there, all players take what it brings.
 */
export const local = {
  detect: (): Promise<boolean> => Local.detect(thePage()),
  pair: (code: string): Promise<boolean> => Local.pair(thePage(), code),
  forget: (): Promise<boolean> => Local.forget(thePage()),
};

/** The viewer's own choice, if there is one; to be made, it is given, remembered, and beats the page's. */
export function consent(mode?: Consent): Consent | undefined {
  return thePage().consent(mode);
}
