/**
 * Finds every hls.js player of a page that knows nothing of us.
 *
 * Whatever a player does, it does by its `trigger`; so that is where we notice it, be it older than
 * our script or not made yet. The class may be there already, or arrive with another script. We
 * don't define an accessor on the window to learn of that: a page that asks `"Hls" in window` in
 * order to load hls.js would be told that it is there.
 */

import type { Hls, HlsClass } from "./hls-types";

/** Milliseconds between two looks for a class that no script element brought; how many. */
const LOOK_EVERY = 500;
const LOOKS = 120;

type Found = (hls: Hls) => void;

/** Calls `found` for each player, at least once; it must not throw. */
export function findHls(found: Found): void {
  const wrapped = new WeakSet<Hls>();
  const look = (): void => {
    try {
      const { Hls: candidate } = globalThis as { Hls?: unknown };
      if (!isHls(candidate) || wrapped.has(candidate.prototype)) return;
      wrapped.add(candidate.prototype);
      wrap(candidate.prototype, found);
    } catch {
      // A frame of that name, from elsewhere, lets nobody look at it.
    }
  };
  look();
  // Capturing, so that we are first: before the `onload` of a page that makes its player there.
  document.addEventListener("load", look, true);
  let looks = 0;
  const timer = setInterval(() => {
    look();
    if (++looks === LOOKS) clearInterval(timer);
  }, LOOK_EVERY);
}

function isHls(candidate: unknown): candidate is HlsClass {
  const { prototype } = (candidate ?? {}) as Partial<HlsClass>;
  return typeof prototype?.trigger === "function";
}

function wrap(prototype: Hls, found: Found): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is applied to the player below
  const original = prototype.trigger;
  prototype.trigger = function (this: Hls, ...args) {
    found(this);
    return original.apply(this, args);
  };
}
