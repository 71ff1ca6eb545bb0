/** The script tag's attributes. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { optionsOf, pinsOf, type Options } from "../src/options";

class ScriptElement {
  constructor(
    readonly src: string,
    readonly dataset: Record<string, string>,
  ) {}
}

function options(dataset: Record<string, string>): unknown {
  const script = new ScriptElement("https://cdn.example/p2pcdn.js", dataset);
  return optionsOf(script as unknown as HTMLScriptElement);
}

beforeEach(() => {
  vi.stubGlobal("HTMLScriptElement", ScriptElement);
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("options of a script tag", () => {
  const endpoint = "https://cdn.example/p2pcdn.js";
  const defaults = { endpoint, p2p: true, upload: true, debug: false };

  it("have defaults", () => {
    expect(options({})).toStrictEqual(defaults);
    expect(optionsOf(null)).toStrictEqual({});
  });

  it("are taken from attributes", () => {
    const given = { site: "pk_x", tracker: "wss://t.example", token: "T", key: "K" };
    expect(options(given)).toStrictEqual({ ...defaults, ...given });
  });

  it("may say where tokens come from", () => {
    const { token } = options({ tokenUrl: "/p2p-token" }) as Options;
    expect(token).toBeTypeOf("function");
  });

  it("have pins, of which one that says nothing pins nothing", () => {
    expect(pinsOf(undefined)).toBeUndefined();
    expect(pinsOf("AB cd,\n ef")).toStrictEqual(["ab", "cd", "ef"]);
    expect(pinsOf("")).toStrictEqual([""]);
    expect(options({ key: "" })).toMatchObject({ key: "" });
  });

  it("say whom to share with, and how much", () => {
    const dataset = { mode: "lan", consent: "required", uploadRate: "100000" };
    const more = { uploadBudget: "5e6", uploadRatio: "0.5" };
    expect(options({ ...dataset, ...more })).toMatchObject({
      mode: "lan",
      consent: "required",
      uploadRate: 100_000,
      uploadBudget: 5_000_000,
      uploadRatio: 0.5,
    });
  });

  it("share nothing where nobody can tell what was meant", () => {
    const dataset = { mode: "everybody", uploadRate: "fast", uploadBudget: "1 GB" };
    expect(options(dataset)).toMatchObject({ mode: "off", uploadRate: 0, uploadBudget: 0 });
  });

  it("need no consent where that is said", () => {
    expect(options({ consent: "off" })).toStrictEqual(defaults);
  });

  it.each([
    ["off", false],
    ["false", false],
    ["0", false],
    [" No ", false],
    ["", true],
    ["on", true],
    ["anything", true],
  ])("a switch that says %j is %j", (value, on) => {
    expect(options({ p2p: value, upload: value, debug: value })).toMatchObject({
      p2p: on,
      upload: on,
      debug: on,
    });
  });
});
