/** What the browser says of its machine. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Device } from "../src/core/ports";
import { accessOf, watchDevice } from "../src/device";

class Source extends EventTarget {
  constructor(values: object) {
    super();
    Object.assign(this, values);
  }

  becomes(event: string, values: object): void {
    Object.assign(this, values);
    this.dispatchEvent(new Event(event));
  }
}

const NOTHING = {
  type: "Device",
  cellular: false,
  saving: false,
  hidden: false,
  onBattery: false,
} satisfies Device;

let page: Source;
let told: Device[];
let unwatch: () => void;

/** Watches a machine whose navigator has these. */
async function watch(machine: object): Promise<void> {
  vi.stubGlobal("navigator", machine);
  told = [];
  unwatch = watchDevice((device) => told.push(device));
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

beforeEach(() => {
  page = new Source({ visibilityState: "visible" });
  vi.stubGlobal("document", page);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a machine", () => {
  it("is connected by what its browser says, if it says so", () => {
    for (const [machine, access] of [
      [{ connection: { type: "wifi" } }, "wifi"],
      [{ connection: {} }, null],
      [{}, null],
    ] as const) {
      vi.stubGlobal("navigator", machine);
      expect(accessOf()).toBe(access);
    }
  });

  it("of which nothing is known does not keep from giving", async () => {
    await watch({});
    expect(told).toStrictEqual([NOTHING]);
  });

  it("may be on a mobile network, and save data", async () => {
    const connection = new Source({ type: "cellular", saveData: true });
    await watch({ connection });
    expect(told).toStrictEqual([{ ...NOTHING, cellular: true, saving: true }]);
    connection.becomes("change", { type: "wifi", saveData: false });
    expect(told.at(-1)).toStrictEqual(NOTHING);
  });

  it("may be on battery", async () => {
    const battery = new Source({ charging: false });
    const getBattery = vi.fn(() => Promise.resolve(battery));
    const machine = { getBattery };
    await watch(machine);
    expect(getBattery.mock.contexts).toStrictEqual([machine]);
    expect(told).toStrictEqual([NOTHING, { ...NOTHING, onBattery: true }]);
    battery.becomes("chargingchange", { charging: true });
    expect(told.at(-1)).toStrictEqual(NOTHING);
  });

  it("may not tell about its battery", async () => {
    await watch({ getBattery: () => Promise.reject(new Error("NotAllowedError")) });
    expect(told).toStrictEqual([NOTHING]);
  });

  it("is looked at by somebody, or not", async () => {
    await watch({});
    page.becomes("visibilitychange", { visibilityState: "hidden" });
    expect(told.at(-1)).toStrictEqual({ ...NOTHING, hidden: true });
  });

  it("is watched until nobody wants to know", async () => {
    const connection = new Source({ type: "wifi" });
    const battery = new Source({ charging: true });
    await watch({ connection, getBattery: () => Promise.resolve(battery) });
    unwatch();
    const before = told.length;
    connection.becomes("change", { type: "cellular" });
    battery.becomes("chargingchange", { charging: false });
    page.becomes("visibilitychange", { visibilityState: "hidden" });
    expect(told).toHaveLength(before);
  });

  it("takes a page's own idea of a connection as it is", async () => {
    await watch({ connection: { saveData: true } });
    expect(told).toStrictEqual([{ ...NOTHING, saving: true }]);
  });
});
