/** Addresses to renditions and back. */

import { describe, expect, it } from "vitest";

import { Endpoint, reportOf } from "../src/endpoint";

const endpoint = Endpoint.of("https://cdn.example/p2pcdn.js?v=1");

describe("renditions", () => {
  it.each([
    ["https://cdn.example/media/demo/480p.m3u8", "demo/480p.m3u8"],
    ["https://cdn.example/media/demo/480p.m3u8?token=1", "demo/480p.m3u8"],
    ["https://cdn.example/media/caf%C3%A9/a%20b.m3u8", "café/a b.m3u8"],
    ["/media/x.m3u8", "x.m3u8"],
  ])("%s is %s", (url, rendition) => {
    expect(endpoint.rendition(url)).toBe(rendition);
  });

  it.each([
    ["another host", "https://other.example/media/x.m3u8"],
    ["another port", "https://cdn.example:444/media/x.m3u8"],
    ["another path", "https://cdn.example/video/x.m3u8"],
    ["the folder itself", "https://cdn.example/media/"],
    ["an empty part", "https://cdn.example/media/a//x.m3u8"],
    ["a slash that is none", "https://cdn.example/media/a%2Fx.m3u8"],
    ["what can't be decoded", "https://cdn.example/media/%ff.m3u8"],
  ])("not ours: %s", (_, url) => {
    expect(endpoint.rendition(url)).toBeUndefined();
  });
});

describe("media elsewhere", () => {
  const ID = "https://films.example/a/480p.m3u8";
  const far = (): Endpoint => Endpoint.of("https://cdn.example/p2pcdn.js");

  it("are unknown until the end point has said what they are", () => {
    const at = far();
    expect(at.rendition(`${ID}?token=1`)).toBeUndefined();
    expect(at.far).toBe(false);
    at.learn(`${ID}?token=1`, ID);
    expect(at.far).toBe(true);
    expect(at.rendition(`${ID}?token=1`)).toBe(ID);
    expect(at.rendition("https://films.example/a/720p.m3u8?token=1")).toBeUndefined();
    expect(at.media(ID)).toBeUndefined();
  });

  it("are asked about by the address that came last", () => {
    const at = far();
    at.learn(`${ID}?token=1`, ID);
    expect(at.rendition(`${ID}?token=2&x=a/b`)).toBe(ID);
    const url = encodeURIComponent(`${ID}?token=2&x=a/b`);
    expect(at.manifest(ID, 7).href).toBe(`https://cdn.example/manifest/?url=${url}&at=7`);
    // A fragment of before has another.
    expect(at.rendition(`${ID}?token=1`)).toBe(ID);
    expect(at.hashes(ID, 3, 4).searchParams.get("url")).toBe(`${ID}?token=2&x=a/b`);
  });

  it("whose query says what is wanted are asked about each", () => {
    const at = far();
    at.learn(`${ID}?q=1&token=1`, `${ID};q=1`);
    expect(at.rendition(`${ID}?q=2&token=1`)).toBeUndefined();
    expect(at.rendition(`${ID}?q=1&token=2`)).toBeUndefined();
    expect(at.rendition(`${ID}?q=1&token=1`)).toBe(`${ID};q=1`);
  });

  it("are looked for with their presentation", () => {
    const asked = far().seek(`${ID}?t=1`, "https://films.example/a/index.m3u8?t=1", 5);
    expect(Object.fromEntries(asked.searchParams)).toStrictEqual({
      url: `${ID}?t=1`,
      at: "5",
      presentation: "https://films.example/a/index.m3u8?t=1",
    });
  });

  it("have no more addresses than are of use", () => {
    const at = far();
    for (let n = 0; n < 300; n++) at.learn(`${ID}?token=${n}`, ID);
    expect(at.rendition(`${ID}?token=0`)).toBe(ID); // by its path
    expect(at.manifest(ID, 0).searchParams.get("url")).toBe(`${ID}?token=0`);
  });
});

describe("addresses", () => {
  it("of manifests, records and hashes", () => {
    const page = endpoint.manifest("café/a b?.m3u8", 64);
    expect(page.href).toBe("https://cdn.example/manifest/caf%C3%A9/a%20b%3F.m3u8?at=64");
    expect(endpoint.media("café/a b?.m3u8")?.pathname).toBe("/media/caf%C3%A9/a%20b%3F.m3u8");
    const records = endpoint.records("x.m3u8", 3, 4);
    expect(records.href).toBe("https://cdn.example/manifest/x.m3u8?records=3-4");
    const hashes = endpoint.hashes("x.m3u8", 3, 9);
    expect(hashes.href).toBe("https://cdn.example/manifest/x.m3u8?hashes=3-9");
  });

  it("under a path", () => {
    const under = Endpoint.of("https://a.example/p2p/p2pcdn.js");
    expect(under.manifest("x.m3u8", 0).pathname).toBe("/p2p/manifest/x.m3u8");
    expect(under.rendition("https://a.example/p2p/media/x.m3u8")).toBe("x.m3u8");
    expect(under.tracker.href).toBe("wss://a.example/p2p/tracker/v1");
  });

  it.each([
    [undefined, "wss://cdn.example/tracker/v1"],
    ["https://tracker.example", "wss://tracker.example/tracker/v1"],
    ["http://127.0.0.1:9000/", "ws://127.0.0.1:9000/tracker/v1"],
    ["wss://tracker.example/other/path", "wss://tracker.example/other/path"],
  ])("of the tracker: %s", (given, socket) => {
    expect(Endpoint.of("https://cdn.example/p2pcdn.js", given).tracker.href).toBe(socket);
  });

  it.each([
    ["ws://127.0.0.1:9000/tracker/v1", "http://127.0.0.1:9000/tracker/v1/report"],
    ["wss://a.example/p2p/tracker/v1", "https://a.example/p2p/tracker/v1/report"],
    [`wss://a.example/tracker/v1/${"0f".repeat(16)}`, "https://a.example/tracker/v1/report"],
    [`wss://a.example/x${"0f".repeat(16)}`, `https://a.example/x${"0f".repeat(16)}/report`],
  ])("of the last report to %s", (socket, report) => {
    expect(reportOf(socket)).toBe(report);
  });

  it("guessed from media", () => {
    const found = Endpoint.ofMedia("https://cdn.example/p2p/media/demo/index.m3u8");
    expect(found?.base.href).toBe("https://cdn.example/p2p/");
    expect(Endpoint.ofMedia("https://cdn.example/video/index.m3u8")).toBeUndefined();
  });
});
