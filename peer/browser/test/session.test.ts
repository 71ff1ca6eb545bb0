/** One player's stay: contents come and go, and the figures stay. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ask, chosen, type Consent } from "../src/consent";
import { Meters } from "../src/meters";
import type { Options } from "../src/options";
import type { Player } from "../src/player";
import type { Permit, RunnerOptions } from "../src/runner";
import { Session, type Shared } from "../src/session";
import { noFigures, Stopwatch, type Figures } from "../src/stats";
import { fetchPage } from "../src/manifests";
import { supported } from "../src/support";
import type { RenditionManifest } from "../src/wire/manifest";

/** A runner that only notes what it is told. */
class FakeRunner {
  static made: FakeRunner[] = [];
  permits: Permit[] = [];
  moved = vi.fn();
  part = vi.fn();
  resume = vi.fn();
  close = vi.fn();
  introduce = vi.fn(() => Promise.resolve());
  loaded = vi.fn(() => this.ready);
  release = vi.fn();
  demand = vi.fn();
  takes = vi.fn(() => false);
  meet = vi.fn(() => Promise.resolve());
  ready = true;
  now: Partial<Figures> = {};

  constructor(readonly options: RunnerOptions) {
    FakeRunner.made.push(this);
  }

  allow = (permit: Permit): unknown => this.permits.push(permit);
  figures = (): Figures => ({ ...noFigures(), ...this.now });
}

vi.mock("../src/runner", () => ({
  Runner: vi.fn(function (options: RunnerOptions) {
    return new FakeRunner(options);
  }),
}));
vi.mock("../src/consent", async (original) => {
  return { ...(await original<object>()), ask: vi.fn(), chosen: vi.fn() };
});
vi.mock("../src/manifests", () => ({ fetchPage: vi.fn() }));
vi.mock("../src/support", () => ({ supported: vi.fn(() => true) }));

const FILM = "https://cdn.example/media/film/index.m3u8";
const OTHER = "https://cdn.example/media/other/index.m3u8";
const KEY = { rendition: "film/480p.m3u8", sequence: 3 };

const ended = vi.fn();
const shared: Shared = { meters: new Meters(), stopwatch: new Stopwatch(), ended };
const player = { release: vi.fn() };
let session: Session;

function begin(options: Options = { endpoint: "https://cdn.example/p2pcdn.js" }): Session {
  const on = player as unknown as Player;
  session = new Session(on, options, shared);
  return session;
}

function runner(number = 0): FakeRunner {
  const found = FakeRunner.made[number];
  if (!found) throw new Error(`no runner ${number}`);
  return found;
}

/** As many milliseconds, and whatever follows from each. */
const pass = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);

function heard(type: string): unknown[] {
  const details: unknown[] = [];
  session.addEventListener(type, (event) => details.push((event as CustomEvent).detail));
  return details;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
  vi.stubGlobal("self", globalThis);
  vi.stubGlobal("location", { href: "https://page.example/" });
  vi.stubGlobal("localStorage", undefined);
  vi.clearAllMocks();
  FakeRunner.made = [];
  vi.mocked(chosen).mockReturnValue("any");
  begin();
});
afterEach(() => {
  session.destroy();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a content", () => {
  it("has a runner from the moment that it is to be played", () => {
    expect(session.load(FILM)).toBe(true);
    expect(runner().permits).toStrictEqual([{ p2p: true, upload: true, mode: "any", caps: {} }]);
    expect(session.load(FILM)).toBe(false);
    expect(FakeRunner.made).toHaveLength(1);
  });

  it("of somebody else has none", () => {
    session.load("https://other.example/media/film/index.m3u8");
    expect(FakeRunner.made).toHaveLength(0);
    expect(session.takes(9)).toBe(false);
    const asker = { ready: vi.fn(), failed: vi.fn(), progress: vi.fn() };
    session.demand(KEY, 0, asker);
    expect(asker.failed).toHaveBeenCalledExactlyOnceWith("missing");
  });

  it("has a stopwatch of its own, beside the page's", () => {
    session.load(FILM);
    session.load(OTHER);
    const [first, second] = [0, 1].map((number) => runner(number).options.stopwatch);
    first?.mark("announce");
    expect(second?.timings.announce).toBeNull();
    expect(session.getStats().timings.announce).toBe(shared.stopwatch.timings.announce);
    expect(shared.stopwatch.timings.announce).not.toBeNull();
  });

  it("has none where peers are not possible", () => {
    vi.mocked(supported).mockReturnValueOnce(false);
    session.load(FILM);
    expect(FakeRunner.made).toHaveLength(0);
  });

  it("has one as soon as a playlist is ours, wherever the first one was", () => {
    session.load("https://other.example/index.m3u8");
    session.introduce(KEY.rendition, 3);
    expect(runner().introduce).toHaveBeenCalledExactlyOnceWith(KEY.rendition, 3);
  });

  it("is found by its address where no end point is named", () => {
    session.destroy();
    begin({}).load(FILM);
    expect(runner().options.endpoint.base.href).toBe("https://cdn.example/");
  });

  it("that follows another gets a runner of its own, and the figures add up", () => {
    session.load(FILM);
    runner().now = { peerBytes: 5, links: 2 };
    session.load(OTHER);
    expect(runner(0).close).toHaveBeenCalledOnce();
    runner(1).now = { peerBytes: 7, links: 1 };
    expect(session.getStats()).toMatchObject({ peerBytes: 12, links: 1, sessions: 1 });
  });
});

describe("what is allowed", () => {
  it("may need a token, which may come later", () => {
    session.load(FILM);
    expect(runner().options.path).toBe("film/index.m3u8");
    const token = (): string => "a.b.c";
    session.configure({ token });
    session.configure({ upload: false });
    expect(runner().permits.slice(1)).toStrictEqual([
      { p2p: true, upload: true, mode: "any", caps: {}, token },
      { p2p: true, upload: false, mode: "any", caps: {}, token },
    ]);
  });

  it("can be switched at any time", () => {
    session.load(FILM);
    session.configure({ upload: false });
    expect(runner().permits.at(-1)).toMatchObject({ p2p: true, upload: false });
    session.configure({ p2p: false });
    expect(runner().permits.at(-1)).toMatchObject({ p2p: false, upload: false });
  });

  it("is what the viewer allows, whatever the site says", () => {
    session.load(FILM);
    vi.mocked(chosen).mockReturnValue("off");
    session.permit();
    expect(runner().permits.at(-1)).toMatchObject({ p2p: false });
    session.configure({ p2p: true });
    expect(runner().permits.at(-1)).toMatchObject({ p2p: false });
    vi.mocked(chosen).mockReturnValue("lan");
    session.permit();
    expect(runner().permits.at(-1)).toMatchObject({ p2p: true, mode: "lan" });
  });

  it("is what the page says, where the viewer has said nothing", () => {
    vi.mocked(chosen).mockReturnValue(undefined);
    session.configure({ mode: "network" });
    session.load(FILM);
    expect(runner().permits.at(-1)).toMatchObject({ p2p: true, mode: "network" });
    session.configure({ mode: "off" });
    expect(runner().permits.at(-1)).toMatchObject({ p2p: false });
  });

  it("is as little as can be where a page says what makes no sense", () => {
    session.load(FILM);
    session.configure({ uploadRate: NaN, uploadBudget: "1 GB" as unknown as number });
    expect(runner().permits.at(-1)?.caps).toStrictEqual({ rate: 0, budget: 0 });
    vi.mocked(chosen).mockReturnValue(undefined);
    session.configure({ mode: "everybody" as Consent });
    expect(runner().permits.at(-1)).toMatchObject({ p2p: false, mode: "off" });
    session.configure({ mode: " LAN" as Consent });
    expect(runner().permits.at(-1)).toMatchObject({ p2p: true, mode: "lan" });
  });

  it("is nothing before the viewer has said something, where that is required", () => {
    vi.mocked(chosen).mockReturnValue(undefined);
    session.destroy();
    begin({ endpoint: "https://cdn.example/p2pcdn.js", consent: "required" });
    expect(ask).not.toHaveBeenCalled();
    session.load(FILM);
    expect(ask).toHaveBeenCalled();
    expect(runner().permits.at(-1)).toMatchObject({ p2p: false });
    session.configure({ p2p: true, mode: "any" });
    expect(runner().permits.at(-1)).toMatchObject({ p2p: false });
    vi.mocked(chosen).mockReturnValue("any");
    session.permit();
    expect(runner().permits.at(-1)).toMatchObject({ p2p: true, mode: "any" });
  });

  it("has caps, to which what was given before counts", () => {
    session.configure({ uploadRate: 100_000, uploadBudget: 1_000, uploadRatio: 0.5 });
    session.load(FILM);
    expect(runner().permits.at(-1)?.caps).toStrictEqual({ rate: 100_000, budget: 1_000, ratio: 0.5 });
    runner().now = { uploadedBytes: 400 };
    session.load(OTHER);
    expect(runner(1).permits.at(-1)?.caps).toMatchObject({ budget: 600 });
  });
});

describe("media that stay elsewhere", () => {
  const TOP = "https://films.example/a/index.m3u8?token=1";
  const AT = "https://films.example/a/480p.m3u8?token=1";
  const ID = "https://films.example/a/480p.m3u8";
  const page = { rendition: ID, content: "c" } as RenditionManifest;
  const found = vi.fn();
  const asked = (): string[] => vi.mocked(fetchPage).mock.calls.map(([url]) => url.href);

  beforeEach(async () => {
    vi.mocked(fetchPage).mockReset().mockResolvedValue(page);
    session.load(TOP);
    await pass(80);
  });

  it("are asked about, and begin with what the end point says", async () => {
    expect(FakeRunner.made).toHaveLength(0);
    session.seek(AT, 7, found);
    session.seek(AT, 7, found);
    await pass(0);
    const query = new URLSearchParams({ url: AT, at: "7", presentation: TOP }).toString();
    expect(asked()).toStrictEqual([`https://cdn.example/manifest/?${query}`]);
    expect(session.rendition(AT)).toBe(ID);
    expect(runner().meet).toHaveBeenCalledExactlyOnceWith(page);
    expect(found).toHaveBeenCalledOnce();
    session.seek(AT.replace("480p", "720p"), 7, found);
    await pass(0);
    expect(FakeRunner.made).toHaveLength(1);
    expect(runner().meet).toHaveBeenCalledTimes(2);
  });

  it("of which it knows nothing are asked about three times, and left alone", async () => {
    vi.mocked(fetchPage).mockResolvedValue(undefined);
    session.seek(AT, 7, found);
    await pass(60_000);
    session.seek(AT, 7, found);
    await pass(60_000);
    expect(asked()).toHaveLength(3);
    for (let n = 0; n < 20; n++) session.seek(`${AT}${n}`, 7, found);
    await pass(60_000);
    expect(asked()).toHaveLength(3 * 8);
    expect(FakeRunner.made).toHaveLength(0);
    expect(found).not.toHaveBeenCalled();
  });

  it("are nothing once something else is played, or nothing at all", async () => {
    session.seek(AT, 7, found);
    session.load(OTHER);
    await pass(60_000);
    expect(asked()).toHaveLength(0);
    const ended = begin();
    ended.load(TOP);
    ended.seek(AT, 7, found);
    ended.destroy();
    await pass(60_000);
    expect(asked()).toHaveLength(0);
    begin().load(TOP);
    vi.mocked(fetchPage).mockImplementation(() => {
      session.destroy();
      return Promise.resolve(page);
    });
    session.seek(AT, 7, found);
    await pass(60_000);
    expect(found).not.toHaveBeenCalled();
  });

  it("are not asked about before that is allowed", async () => {
    session.configure({ p2p: false });
    session.seek(AT, 7, found);
    await pass(60_000);
    expect(asked()).toHaveLength(0);
    session.configure({ p2p: true });
    await pass(0);
    expect(found).toHaveBeenCalledOnce();
  });

  it("wait for the viewer's consent, for which they ask", async () => {
    session.destroy();
    vi.mocked(chosen).mockReturnValue(undefined);
    begin({ endpoint: "https://cdn.example/p2pcdn.js", consent: "required" }).load(TOP);
    expect(ask).not.toHaveBeenCalled();
    session.seek(AT, 7, found);
    await pass(60_000);
    expect(ask).toHaveBeenCalledOnce();
    expect(asked()).toHaveLength(0);
    vi.mocked(chosen).mockReturnValue("any");
    session.permit();
    await pass(0);
    expect(runner().permits.at(-1)).toMatchObject({ p2p: true });
    expect(found).toHaveBeenCalledOnce();
  });

  it("are none of a native peer's business", async () => {
    const handover = { demand: vi.fn(), release: vi.fn() };
    session.seek(AT, 7, found);
    await pass(0);
    shared.handover = handover;
    session.permit();
    const asker = { ready: vi.fn(), failed: vi.fn(), progress: vi.fn() };
    session.demand(KEY, 1.5, asker);
    shared.handover = undefined;
    expect(handover.demand).not.toHaveBeenCalled();
    expect(runner().demand).toHaveBeenCalledOnce();
  });
});

describe.each([
  { what: "tracker and manifest", gate: "beginning", most: 80 },
  { what: "connections", gate: "opening", most: 250 },
] as const)("$what", ({ gate, most }) => {
  const passed = vi.fn();

  beforeEach(() => {
    session.load(FILM);
    void runner().options[gate].then(passed);
  });

  it("have their turn once there is a picture", async () => {
    await pass(0);
    expect(passed).not.toHaveBeenCalled();
    session.started(200);
    await pass(0);
    expect(passed).toHaveBeenCalledOnce();
  });

  it(`have it after ${most} ms without one`, async () => {
    await pass(most - 1);
    expect(passed).not.toHaveBeenCalled();
    await pass(1);
    expect(passed).toHaveBeenCalledOnce();
  });
});

describe("figures", () => {
  it("count what went past the runner", async () => {
    session.earlier(10);
    session.counted(20, true);
    const request = session.request(FILM);
    request.arrived(30);
    expect(session.getStats()).toMatchObject({ originBytes: 10, cacheBytes: 20, httpBytes: 40 });
    request.broken();
    await Promise.resolve();
  });

  it("count a segment once, by the runner if it takes it", () => {
    const outcome = { cached: false, ttfb: 0, took: 1 };
    session.load(FILM);
    session.loaded(KEY, new Uint8Array(8), outcome);
    expect(session.getStats().originBytes).toBe(0);
    runner().ready = false;
    session.loaded(KEY, new Uint8Array(8), outcome);
    expect(session.getStats().originBytes).toBe(8);
  });

  it("are told every second, with the first start-up time", () => {
    const told = heard("stats");
    session.started(700.4);
    session.started(900);
    vi.advanceTimersByTime(2_000);
    expect(told).toHaveLength(2);
    expect(told[0]).toMatchObject({ startupMs: 700 });
  });
});

describe("events", () => {
  beforeEach(() => {
    session.load(FILM);
  });

  it("tell of peers", () => {
    const told = heard("peer");
    const { notice } = runner().options;
    notice({ type: "LinkUp", link: 4, peer: "00ff" });
    notice({ type: "LinkDown", link: 4, reason: "closed" });
    expect(told).toStrictEqual([
      { peer: "00ff", up: true },
      { peer: "00ff", up: false },
    ]);
  });

  it("tell of what went wrong", () => {
    const told = heard("error");
    const { notice, crashed } = runner().options;
    notice({ type: "ChunkRejected", key: KEY, chunk: 0, link: 1, proved: true });
    notice({ type: "TrackerRefused", code: "unknown_site", retryAfter: null });
    crashed(new Error("ours"));
    expect(told).toStrictEqual([
      { code: "integrity" },
      { code: "unknown_site" },
      { code: "internal" },
    ]);
  });

  it("tell of segments that fall back", () => {
    const told = heard("fallback");
    session.fellBack(KEY);
    expect(told).toStrictEqual([KEY]);
  });

  it("tell of each request to the origin and its rule", () => {
    const told = heard("fetch");
    const { notice } = runner().options;
    const [span, rule] = [[0, 65_535] as const, "lease" as const];
    notice({ type: "FetchRange", fetch: 7, key: KEY, span, rule, whole: false, fresh: false });
    expect(told).toStrictEqual([{ ...KEY, span, rule }]);
  });
});

describe("the page", () => {
  it("may go and come back", () => {
    session.load(FILM);
    session.hide();
    expect(runner().part).toHaveBeenCalledExactlyOnceWith(true);
    session.show();
    expect(runner().resume).toHaveBeenCalledOnce();
  });

  it("may let go of the session, once and for all", async () => {
    session.load(FILM);
    runner().now = { originBytes: 5, links: 3 };
    session.destroy();
    session.destroy();
    expect(runner().close).toHaveBeenCalledOnce();
    expect(player.release).toHaveBeenCalledOnce();
    expect(ended).toHaveBeenCalledOnce();
    expect(session.getStats()).toMatchObject({ originBytes: 5, links: 0, sessions: 0 });
    session.load(OTHER);
    session.introduce(KEY.rendition, 1);
    expect(FakeRunner.made).toHaveLength(1);
    await Promise.resolve();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a player that is handed over", () => {
  const handover = { demand: vi.fn(), release: vi.fn() };
  const asker = { ready: vi.fn(), failed: vi.fn(), progress: vi.fn() };

  beforeEach(() => {
    session.load(FILM);
    shared.handover = handover;
    session.permit();
  });
  afterEach(() => {
    shared.handover = undefined;
  });

  it("asks there, and its own peer leaves", () => {
    expect(runner().permits.at(-1)).toMatchObject({ p2p: false });
    expect(session.takes(0)).toBe(true);
    session.demand(KEY, 1.5, asker);
    expect(handover.demand).toHaveBeenCalledExactlyOnceWith(FILM, KEY, 1.5, asker, undefined);
    session.release(KEY, asker);
    expect(handover.release).toHaveBeenCalledExactlyOnceWith(asker);
  });

  it("says where tokens come from", () => {
    const token = vi.fn();
    begin({ endpoint: "https://cdn.example/p2pcdn.js", token });
    session.load(FILM);
    session.demand(KEY, 1.5, asker);
    expect(handover.demand).toHaveBeenLastCalledWith(FILM, KEY, 1.5, asker, token);
  });

  it("comes back", () => {
    shared.handover = undefined;
    session.permit();
    expect(runner().permits.at(-1)).toMatchObject({ p2p: true });
  });

  it("is not, if the viewer shares nothing", () => {
    vi.mocked(chosen).mockReturnValue("off");
    session.permit();
    session.demand(KEY, 0, asker);
    expect(handover.demand).not.toHaveBeenCalled();
  });

  it("is not, if it plays what is somebody else's", () => {
    session.destroy();
    begin({}).load("https://other.example/film.m3u8");
    expect(session.takes(9)).toBe(false);
  });
});
