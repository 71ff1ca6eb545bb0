/** The native peer on the viewer's machine: paired by a code, found again, and left alone. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Handover } from "../src/handover";
import { detect, forget, normalised, pair, portOf } from "../src/local";

const CODE = "TGRH-4D2P-F2DB";
const PORT = 54_321;
const BASE = `http://127.0.0.1:${PORT}/${"s".repeat(32)}/`;
const FILM = "https://cdn.example/media/film/index.m3u8";
const KEY = { rendition: "film/480p x.m3u8", sequence: 3 };

const page = { handOver: vi.fn<(to?: Handover) => void>() };
const fetched = vi.fn<(url: string, init?: RequestInit) => Promise<Response>>();
const kept = new Map<string, string>();
const permissions = new Map<string, PermissionState>();
const userActivation = { isActive: true, hasBeenActive: true };

beforeEach(() => {
  vi.clearAllMocks();
  kept.clear();
  permissions.clear();
  Object.assign(userActivation, { isActive: true, hasBeenActive: true });
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("location", { hostname: "page.example" });
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  vi.stubGlobal("navigator", {
    userActivation,
    permissions: {
      query: ({ name }: { name: string }) => {
        const state = permissions.get(name);
        return state ? Promise.resolve({ state }) : Promise.reject(new TypeError(name));
      },
    },
  });
  fetched.mockImplementation(() => Promise.resolve(Response.json({ p2pcdn: "1" })));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a code", () => {
  it("is read as people write it", () => {
    expect(normalised(" tgrh 4d2p-f2db ")).toBe("TGRH4D2PF2DB");
    expect(normalised("oOiI-lL00-1111")).toBe("001111001111");
  });

  it.each(["", "TGRH-4D2P-F2D", "TGRH-4D2P-F2DBX", "TGRH-4D2P-F2DU", "TGRH.4D2PF2DB"])(
    "is none: %s",
    (code) => {
      expect(normalised(code)).toBeUndefined();
    },
  );

  it("says at which port", () => {
    expect([CODE, "0000", "ZZZZ", "000G"].map(portOf)).toStrictEqual([PORT, 0, 65_535, 1]);
  });
});

describe("pairing", () => {
  it("gets a secret for the code, and remembers it", async () => {
    fetched.mockResolvedValueOnce(Response.json({ base: BASE }));
    expect(await pair(page, CODE)).toBe(true);
    const [[url, init] = []] = fetched.mock.calls;
    expect(url).toBe(`http://127.0.0.1:${PORT}/TGRH4D2PF2DB/pair`);
    expect(init?.method).toBe("POST");
    expect(kept.get("p2pcdn.local")).toBe(BASE);
    expect(page.handOver).toHaveBeenCalledOnce();
  });

  it("asks nobody for what is no code, or without a click", async () => {
    expect(await pair(page, "nonsense")).toBe(false);
    userActivation.hasBeenActive = false;
    expect(await pair(page, CODE)).toBe(false);
    expect(fetched).not.toHaveBeenCalled();
  });

  it.each([
    ["nobody answers", () => Promise.reject(new TypeError("failed"))],
    ["the answer leads elsewhere", () => Promise.resolve(Response.json({ base: FILM }))],
    ["there is nothing in it", () => Promise.resolve(Response.json({}))],
    ["it is nothing at all", () => Promise.resolve(Response.json(null))],
    ["the answer is of somebody else", () => Promise.resolve(new Response("<p>Hello"))],
  ])("comes to nothing if %s", async (_, answer) => {
    fetched.mockImplementationOnce(answer);
    expect(await pair(page, CODE)).toBe(false);
    expect(kept.size).toBe(0);
    expect(page.handOver).not.toHaveBeenCalled();
  });
});

describe("detecting", () => {
  it("asks nobody if nothing was paired", async () => {
    expect(await detect(page)).toBe(false);
    expect(fetched).not.toHaveBeenCalled();
  });

  it("finds what was paired", async () => {
    kept.set("p2pcdn.local", BASE);
    expect(await detect(page)).toBe(true);
    expect(fetched.mock.calls[0]?.[0]).toBe(`${BASE}api/v1/`);
    expect(page.handOver).toHaveBeenCalledOnce();
  });

  it("finds nothing where nobody answers, and remembers it all the same", async () => {
    kept.set("p2pcdn.local", BASE);
    fetched.mockRejectedValueOnce(new TypeError("failed"));
    expect(await detect(page)).toBe(false);
    expect(page.handOver).not.toHaveBeenCalled();
    expect(kept.size).toBe(1);
  });

  it.each([
    ["loopback-network", "granted", false, true],
    ["loopback-network", "prompt", false, false],
    ["loopback-network", "prompt", true, true],
    ["loopback-network", "denied", true, false],
    ["local-network-access", "prompt", false, false],
    ["local-network-access", "granted", false, true],
    ["another", "prompt", false, true],
  ] as const)("by %s: %s, clicked: %s", async (name, state, clicked, asks) => {
    kept.set("p2pcdn.local", BASE);
    permissions.set(name, state);
    userActivation.isActive = clicked;
    expect(await detect(page)).toBe(asks);
    expect(fetched).toHaveBeenCalledTimes(asks ? 1 : 0);
  });

  it("needs no leave on this very machine", async () => {
    kept.set("p2pcdn.local", BASE);
    permissions.set("loopback-network", "prompt");
    userActivation.isActive = false;
    vi.stubGlobal("location", { hostname: "localhost" });
    expect(await detect(page)).toBe(true);
  });
});

describe("forgetting", () => {
  it("ends it on both sides", async () => {
    kept.set("p2pcdn.local", BASE);
    expect(await forget(page)).toBe(true);
    expect(fetched.mock.calls[0]).toMatchObject([`${BASE}api/v1/pages`, { method: "DELETE" }]);
    expect(page.handOver).toHaveBeenCalledExactlyOnceWith();
    expect(kept.size).toBe(0);
    expect(await forget(page)).toBe(false);
  });
});

describe("a frame that may keep nothing", () => {
  const forbidden = (): never => {
    throw new DOMException("sandboxed", "SecurityError");
  };

  it("finds nothing, and has nothing to forget", async () => {
    vi.stubGlobal("localStorage", { getItem: forbidden, removeItem: forbidden });
    expect(await detect(page)).toBe(false);
    expect(await forget(page)).toBe(false);
    expect(fetched).not.toHaveBeenCalled();
  });

  it("forgets what it was paired with while it is open", async () => {
    vi.stubGlobal("localStorage", { getItem: forbidden, removeItem: forbidden });
    await forget(page);
    expect(page.handOver).toHaveBeenCalledExactlyOnceWith();
  });

  it("is paired as long as it is open", async () => {
    vi.stubGlobal("localStorage", { setItem: forbidden });
    fetched.mockImplementationOnce(() => Promise.resolve(Response.json({ base: BASE })));
    expect(await pair(page, CODE)).toBe(true);
    expect(page.handOver).toHaveBeenCalledExactlyOnceWith(expect.anything());
  });
});

describe("demands that are handed over", () => {
  const asker = () => ({ ready: vi.fn(), failed: vi.fn(), progress: vi.fn() });
  const data = Uint8Array.of(1, 2, 3);
  let peer: Handover;

  beforeEach(async () => {
    kept.set("p2pcdn.local", BASE);
    await detect(page);
    const [[to] = []] = page.handOver.mock.calls;
    if (!to) throw new Error("nothing was handed over");
    peer = to;
    fetched.mockClear();
    page.handOver.mockClear();
    fetched.mockImplementation((url) =>
      Promise.resolve(
        url.endsWith("contents") ? Response.json({ id: "0123456789ab" }) : new Response(data),
      ),
    );
  });

  it("are answered with the segment, of a content that is added once", async () => {
    const first = asker();
    const second = asker();
    peer.demand(FILM, KEY, 1.25, first);
    peer.demand(FILM, { ...KEY, sequence: 4 }, 3, second);
    await vi.waitFor(() => {
      expect(second.ready).toHaveBeenCalledOnce();
    });
    expect(first.ready).toHaveBeenCalledExactlyOnceWith(data);
    expect(first.progress.mock.calls).toStrictEqual([[0], [1], [2]]);
    const asked = fetched.mock.calls.map(([url]) => url.slice(BASE.length));
    expect(asked).toStrictEqual([
      "api/v1/contents",
      "segment/0123456789ab/3/film/480p%20x.m3u8?within=1.250",
      "segment/0123456789ab/4/film/480p%20x.m3u8?within=3.000",
    ]);
    expect(fetched.mock.calls[0]?.[1]?.body).toBe(JSON.stringify({ url: FILM }));
  });

  it("fail if the peer does not bring it, and after some the page goes on by itself", async () => {
    fetched.mockImplementation(() => Promise.resolve(new Response(null, { status: 502 })));
    for (const lost of [0, 0, 1]) {
      const { ready, failed, progress } = asker();
      peer.demand(FILM, KEY, 1, { ready, failed, progress });
      await vi.waitFor(() => {
        expect(failed).toHaveBeenCalledExactlyOnceWith("closed");
      });
      expect(page.handOver).toHaveBeenCalledTimes(lost);
      expect(ready).not.toHaveBeenCalled();
    }
    expect(page.handOver).toHaveBeenCalledExactlyOnceWith();
  });

  it("are asked for once more if the peer has forgotten the content", async () => {
    let added = 0;
    fetched.mockImplementation((url) =>
      Promise.resolve(
        url.endsWith("contents")
          ? Response.json({ id: `id${added++}` })
          : new Response(data, { status: url.includes("/id1/") ? 200 : 404 }),
      ),
    );
    const both = [asker(), asker()];
    for (const one of both) peer.demand(FILM, KEY, 1, one);
    await vi.waitFor(() => {
      for (const { ready } of both) expect(ready).toHaveBeenCalledExactlyOnceWith(data);
    });
    expect(added).toBe(2);
    expect(page.handOver).not.toHaveBeenCalled();
  });

  it("fail if the content is refused, and ask for no segment of it", async () => {
    fetched.mockImplementation(() => Promise.resolve(Response.json({ id: "x" }, { status: 403 })));
    const { ready, failed, progress } = asker();
    peer.demand(FILM, KEY, 1, { ready, failed, progress });
    await vi.waitFor(() => {
      expect(failed).toHaveBeenCalledExactlyOnceWith("closed");
    });
    expect(fetched).toHaveBeenCalledOnce();
  });

  describe("of a site that wants tokens", () => {
    const wanted = { thumbprint: "t", site: "s", content: "c", url: "/media/x", client: "native" };
    const bodies = (): unknown[] =>
      fetched.mock.calls.flatMap(([, init]) =>
        init?.body ? [JSON.parse(init.body as string) as unknown] : [],
      );
    let status = 200;

    beforeEach(() => {
      status = 200;
      fetched.mockImplementation((url) => {
        if (url.includes("/token?")) return Promise.resolve(Response.json(wanted));
        if (url.endsWith("contents")) return Promise.resolve(Response.json({ id: "id" }));
        return Promise.resolve(new Response(data, { status }));
      });
    });

    it("bring one that is made out for the native peer", async () => {
      const source = vi.fn(() => "a.b.c\n");
      const one = asker();
      peer.demand(FILM, KEY, 1, one, source);
      await vi.waitFor(() => {
        expect(one.ready).toHaveBeenCalledOnce();
      });
      expect(source).toHaveBeenCalledExactlyOnceWith(wanted);
      expect(fetched.mock.calls[0]?.[0]).toBe(
        `${BASE}api/v1/token?url=${encodeURIComponent(FILM)}`,
      );
      expect(bodies()).toStrictEqual([{ url: FILM, token: "a.b.c" }]);
    });

    it("bring another when that is over", async () => {
      const source = vi.fn().mockReturnValueOnce("first").mockResolvedValueOnce("second");
      status = 502;
      const one = asker();
      peer.demand(FILM, KEY, 1, one, source);
      await vi.waitFor(() => {
        expect(one.failed).toHaveBeenCalledOnce();
      });
      expect(bodies()).toStrictEqual([
        { url: FILM, token: "first" },
        { url: FILM, token: "second" },
      ]);
    });

    it("bring another every minute", async () => {
      const source = vi.fn(() => "a.b.c");
      const now = vi.spyOn(Date, "now").mockReturnValue(0);
      for (const [time, times] of [
        [0, 1],
        [59_999, 1],
        [60_000, 2],
        [119_999, 2],
      ] as const) {
        now.mockReturnValue(time);
        const one = asker();
        peer.demand(FILM, KEY, 1, one, source);
        await vi.waitFor(() => {
          expect(one.ready).toHaveBeenCalledOnce();
          expect(bodies()).toHaveLength(times);
        });
      }
      now.mockRestore();
    });

    it("bring what the page has, if that is all, and play without", async () => {
      const [given, none] = [asker(), asker()];
      peer.demand(FILM, KEY, 1, given, "given");
      const source = vi.fn().mockRejectedValue(new Error("signed out"));
      peer.demand(`${FILM}?2`, KEY, 1, none, source);
      await vi.waitFor(() => {
        for (const { ready } of [given, none]) expect(ready).toHaveBeenCalledOnce();
      });
      expect(bodies()).toStrictEqual([{ url: FILM, token: "given" }, { url: `${FILM}?2` }]);
    });
  });

  it("may be taken back", async () => {
    const one = asker();
    fetched.mockImplementation((_, init) => {
      return new Promise((_resolve, reject) => {
        init?.signal?.addEventListener("abort", () => {
          reject(new DOMException("aborted", "AbortError"));
        });
      });
    });
    peer.demand(FILM, KEY, 1, one);
    peer.release(one);
    await new Promise((resolve) => setTimeout(resolve));
    expect(one.failed).not.toHaveBeenCalled();
    peer.release(one);
  });
});
