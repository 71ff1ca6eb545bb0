/** What keeps this machine from giving, as far as its browser says: Chromium does, others little. */

import type { Device } from "./core/ports";

/** A page may have its own idea of it, without events. */
interface Connection extends Partial<EventTarget> {
  readonly type?: string;
  readonly saveData?: boolean;
}

interface Battery extends EventTarget {
  readonly charging: boolean;
}

interface Machine {
  readonly connection?: Connection;
  getBattery?(): Promise<Battery>;
}

/** What the machine is connected by, where the browser knows; such as `wifi` or `cellular`. */
export function accessOf(): string | null {
  return (navigator as Machine).connection?.type ?? null;
}

/** Tells how things are, now and whenever they change, until the function that it returns is called. */
export function watchDevice(tell: (device: Device) => void): () => void {
  const machine = navigator as Machine;
  const { connection } = machine;
  const end = new AbortController();
  const { signal } = end;
  let battery: Battery | undefined;

  const look = (): void => {
    tell({
      type: "Device",
      cellular: connection?.type === "cellular",
      saving: connection?.saveData === true,
      hidden: document.visibilityState === "hidden",
      onBattery: battery?.charging === false,
    });
  };

  document.addEventListener("visibilitychange", look, { signal });
  connection?.addEventListener?.("change", look, { signal });
  look();
  void (async () => {
    try {
      battery = await machine.getBattery?.();
      if (!battery || signal.aborted) return;
      battery.addEventListener("chargingchange", look, { signal });
      look();
    } catch {
      // Its policy forbids the page to know.
    }
  })();
  return () => {
    end.abort();
  };
}
