/** hls.js as a player of ours, by a make-believe hls.js. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Endpoint } from "../../src/endpoint";
import { fetchSource } from "../../src/http-source";
import { HlsPlayer } from "../../src/players/hls";
import type {
  Fragment,
  Hls,
  HlsConfig,
  LevelDetails,
  LoaderClass,
  LoaderContext,
  LoadStats,
} from "../../src/players/hls-types";
import type { Session } from "../../src/session";

const MEDIA = "https://cdn.example/media/demo";
const PLAYLIST = `${MEDIA}/480p.m3u8`;
const RENDITION = "demo/480p.m3u8";

/** hls.js's own loader is known by this method. */
class PlainLoader {
  openAndSendXhr(): this {
    return this;
  }
}

/** One of a page. */
class OwnLoader extends PlainLoader {}
const theirs = OwnLoader as unknown as LoaderClass;

function stats(end = 0, appended = 0): LoadStats {
  const loading = { start: 0, first: 0, end };
  const buffering = { start: 0, first: 0, end: appended };
  return { aborted: false, loaded: 100, total: 100, bwEstimate: 0, loading, buffering };
}

function fragment(sn: number, more: Partial<Fragment> = {}): Fragment {
  const url = `${MEDIA}/seg${sn}.ts`;
  const place = { type: "main", start: (sn - 10) * 2, duration: 2, url, baseurl: PLAYLIST };
  return { sn, ...place, stats: stats(), ...more };
}

function details(more: Partial<LevelDetails> = {}): LevelDetails {
  const fragments = [10, 11, 12, 13].map((sn) => fragment(sn));
  return { url: PLAYLIST, live: false, startSN: 10, endSN: 13, fragments, ...more };
}

/** A media element that has buffered these spans of seconds. */
class FakeMedia extends EventTarget {
  currentTime = 0;
  playbackRate = 1;
  readyState = 0;
  spans: [number, number][] = [];
  playedSpans: [number, number][] = [];

  get buffered(): unknown {
    return ranges(this.spans);
  }
  get played(): unknown {
    return ranges(this.playedSpans);
  }
}

function ranges(spans: readonly [number, number][]): unknown {
  return {
    length: spans.length,
    start: (at: number) => spans[at]?.[0],
    end: (at: number) => spans[at]?.[1],
  };
}

type Listener = (event: string, data: unknown) => void;

class FakeHls {
  url: string | null = null;
  media: FakeMedia | null = null;
  levels: { details?: LevelDetails }[] = [];
  loadLevel = 0;
  liveSyncPosition: number | null = null;
  bandwidthEstimate = 500_000;
  readonly config: Partial<HlsConfig> = {
    loader: PlainLoader as unknown as LoaderClass,
    maxBufferLength: 30,
  };
  readonly listeners = new Map<string, Listener>();

  on = (event: string, listener: Listener): unknown => this.listeners.set(event, listener);
  off = (event: string): unknown => this.listeners.delete(event);
  tell(event: string, data?: unknown): void {
    this.listeners.get(event)?.(event, data);
  }
}

const endpoint = Endpoint.of("https://cdn.example/p2pcdn.js");
const session = {
  rendition: (url: string) => endpoint.rendition(url),
  load: vi.fn(),
  introduce: vi.fn(),
  seek: vi.fn<Session["seek"]>(),
  moved: vi.fn(),
  started: vi.fn(),
  earlier: vi.fn(),
  destroy: vi.fn(),
};
let hls: FakeHls;
let player: HlsPlayer;

function join(): void {
  player = new HlsPlayer(hls as unknown as Hls);
  player.join(session as unknown as Session);
}

function play(time: number, ...spans: [number, number][]): FakeMedia {
  const media = new FakeMedia();
  media.currentTime = time;
  media.spans = spans;
  hls.media = media;
  hls.tell("hlsMediaAttached");
  return media;
}

beforeEach(() => {
  vi.clearAllMocks();
  hls = new FakeHls();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("joining", () => {
  it("puts our loader in, and takes it out again", () => {
    join();
    const ours = hls.config.fLoader;
    expect(ours).toBeDefined();
    player.release();
    expect(hls.config.fLoader).toBeUndefined();
    expect(hls.listeners.size).toBe(0);
  });

  it("puts a page's own fragment loader back", () => {
    hls.config.fLoader = theirs;
    join();
    expect(hls.config.fLoader).not.toBe(theirs);
    player.release();
    expect(hls.config.fLoader).toBe(theirs);
  });

  it("leaves a loader alone that the page put in after us", () => {
    join();
    hls.config.fLoader = theirs;
    player.release();
    expect(hls.config.fLoader).toBe(theirs);
  });

  it("takes into account what there is already", () => {
    hls.url = `${MEDIA}/index.m3u8`;
    const loaded = fragment(10, { stats: stats(5) });
    const untouched = fragment(11, { hasStats: false });
    const foreign = fragment(12, { stats: stats(5), baseurl: "https://other.example/x.m3u8" });
    hls.levels = [{}, { details: details({ fragments: [loaded, untouched, foreign, null] }) }];
    hls.loadLevel = 1;
    join();
    expect(session.load).toHaveBeenCalledExactlyOnceWith(hls.url);
    expect(session.introduce).toHaveBeenCalledExactlyOnceWith(RENDITION, 10);
    expect(session.earlier).toHaveBeenCalledExactlyOnceWith(100);
    hls.tell("hlsFragLoaded", { frag: loaded });
    expect(session.earlier).toHaveBeenCalledOnce();
  });
});

describe("a picture that was there before us", () => {
  /** What is told of how long it took: the playlist was asked for at 1,000 ms. */
  function told(media: Partial<FakeMedia>, fragments: readonly (Fragment | null)[]): number | undefined {
    vi.spyOn(performance, "getEntriesByName").mockReturnValue([
      { startTime: 1_000 } as PerformanceEntry,
    ]);
    hls.url = `${MEDIA}/index.m3u8`;
    hls.levels = [{}, { details: details() }, { details: details({ fragments }) }];
    hls.loadLevel = 2;
    hls.media = Object.assign(new FakeMedia(), { readyState: 4 }, media);
    join();
    return (session.started.mock.calls as number[][])[0]?.[0];
  }
  const loaded = [fragment(10, { stats: stats(1_150, 1_180) }), fragment(11)];

  it("began with the segment that was played first", () => {
    expect(told({ currentTime: 9, playedSpans: [[0, 9]] }, [null, ...loaded])).toBe(180);
    expect(player.whereabouts()?.watched?.startup).toBe(180);
  });

  it("is of where the play head is if nothing has been played", () => {
    const second = fragment(11, { stats: stats(1_250, 1_290) });
    expect(told({ currentTime: 2.5 }, [fragment(10), second])).toBe(290);
  });

  it.each([
    ["there is no picture yet", { readyState: 1 }, loaded],
    ["the segment has left the playlist", { playedSpans: [[0, 9]] }, [fragment(11, { stats: stats(1, 2) })]],
    ["it was never loaded", {}, [fragment(10), fragment(11, { stats: stats(1, 2) })]],
    ["it has no figures", {}, [fragment(10, { hasStats: false, stats: stats(1, 2) })]],
  ])("is not told of if %s", (_, media, fragments) => {
    expect(told(media as Partial<FakeMedia>, fragments)).toBeUndefined();
  });
});

describe("the first segment", () => {
  it("is asked for as soon as there is an element to play in", () => {
    join();
    expect(hls.config.startFragPrefetch).toBeUndefined();
    hls.tell("hlsMediaAttaching");
    expect(hls.config.startFragPrefetch).toBe(true);
    hls.tell("hlsMediaDetaching");
    expect(hls.config.startFragPrefetch).toBeUndefined();
  });

  it("is so for an element that was there before us", () => {
    hls.media = new FakeMedia();
    join();
    expect(hls.config.startFragPrefetch).toBe(true);
    player.release();
    expect(hls.config.startFragPrefetch).toBeUndefined();
  });

  it("is asked for without an element if the page says so", () => {
    hls.config.startFragPrefetch = true;
    hls.media = new FakeMedia();
    join();
    hls.tell("hlsMediaDetaching");
    expect(hls.config.startFragPrefetch).toBe(true);
  });
});

describe("what hls.js tells", () => {
  beforeEach(() => {
    join();
  });

  it("begins with something to play", () => {
    hls.tell("hlsManifestLoading", { url: "a.m3u8" });
    expect(session.load).toHaveBeenCalledExactlyOnceWith("a.m3u8");
  });

  it("introduces a rendition at the play head", () => {
    hls.levels = [{ details: details() }];
    play(4.5, [4, 6]);
    hls.tell("hlsLevelLoaded", { details: details() });
    expect(session.introduce).toHaveBeenCalledExactlyOnceWith(RENDITION, 12);
    expect(session.moved).toHaveBeenCalled();
  });

  it("looks for what is nobody's yet, and introduces it when it is found", () => {
    const url = "https://films.example/480p.m3u8?token=1";
    hls.levels = [{ details: details({ url }) }];
    hls.tell("hlsLevelLoaded", { details: details({ url }) });
    hls.tell("hlsLevelLoaded", { details: details({ url, live: true }) });
    const [vod, live] = session.seek.mock.calls;
    expect(vod?.slice(0, 2)).toStrictEqual([url, 10]);
    expect(live?.slice(0, 2)).toStrictEqual([url, 10]);
    expect(session.introduce).not.toHaveBeenCalled();
    endpoint.learn(url, "https://films.example/480p.m3u8");
    vod?.[2]();
    expect(session.introduce).toHaveBeenCalledExactlyOnceWith("https://films.example/480p.m3u8", 10);
  });

  it("says when the first picture is there", () => {
    const media = play(0);
    media.dispatchEvent(new Event("loadeddata"));
    expect(session.started).toHaveBeenCalledOnce();
    hls.levels = [{ details: details() }];
    expect(player.whereabouts()?.watched?.startup).toBe(session.started.mock.calls[0]?.[0]);
    player.release();
    media.dispatchEvent(new Event("loadeddata"));
    expect(session.started).toHaveBeenCalledOnce();
  });

  it.each([true, false])("is watched anew if it is something else: %s", (isNew) => {
    const media = play(0);
    media.dispatchEvent(new Event("loadeddata"));
    hls.levels = [{ details: details() }];
    const before = player.whereabouts()?.watched?.startup;
    expect(before).toBeDefined();
    session.load.mockReturnValueOnce(isNew);
    hls.tell("hlsManifestLoading", { url: "b.m3u8" });
    expect(player.whereabouts()?.watched?.startup).toBe(isNew ? undefined : before);
  });

  it("ends with the player, after the player's own loaders", async () => {
    hls.tell("hlsDestroying");
    expect(session.destroy).not.toHaveBeenCalled();
    await Promise.resolve();
    expect(session.destroy).toHaveBeenCalledOnce();
  });

  it("never comes back to it as an error of ours", () => {
    session.load.mockImplementationOnce(() => {
      throw new Error("ours");
    });
    expect(() => {
      hls.tell("hlsManifestLoading", { url: "a.m3u8" });
    }).not.toThrow();
    expect(session.destroy).toHaveBeenCalledOnce();
  });

  it("of what was on its way before us is counted once it is there", () => {
    const frag = fragment(10, { stats: stats(5) });
    hls.tell("hlsFragLoaded", { frag });
    hls.tell("hlsFragLoaded", { frag });
    expect(session.earlier).toHaveBeenCalledOnce();
    const ours = fragment(11, { stats: stats(5) });
    player.own(ours.stats);
    hls.tell("hlsFragLoaded", { frag: ours });
    expect(session.earlier).toHaveBeenCalledOnce();
  });
});

describe("whereabouts", () => {
  beforeEach(() => {
    join();
    hls.levels = [{ details: details() }];
  });

  it("are unknown without a playlist, or with one of somebody else", () => {
    hls.loadLevel = -1;
    expect(player.whereabouts()).toBeUndefined();
    hls.loadLevel = 0;
    hls.levels = [{ details: details({ url: "https://other.example/x.m3u8" }) }];
    expect(player.whereabouts()).toBeUndefined();
  });

  it("are at the beginning before anything is buffered", () => {
    play(0);
    const whereabouts = { rendition: RENDITION, head: 10, last: 13, buffer: 0, live: false };
    expect(player.whereabouts()).toStrictEqual({
      ...whereabouts,
      target: 30,
      watched: { startup: undefined, played: 0, stalls: 0, stalled: 0 },
    });
  });

  it("are where a live stream is to be joined before it is", () => {
    hls.levels = [{ details: details({ live: true }) }];
    hls.liveSyncPosition = 4;
    expect(player.whereabouts()).toMatchObject({ head: 12, live: true });
  });

  it("are at the beginning of a recording until something plays", () => {
    hls.liveSyncPosition = 6; // which hls.js has of recordings, too
    expect(player.whereabouts()).toMatchObject({ head: 10, live: false });
  });

  it("count what is buffered without a gap that would stop the player", () => {
    play(3, [0, 5], [5.4, 7], [8, 10]);
    expect(player.whereabouts()).toMatchObject({ head: 11, buffer: 4 });
    play(3, [6, 10]);
    expect(player.whereabouts()).toMatchObject({ buffer: 0 });
  });

  it("stay within the playlist", () => {
    play(1_000, [999, 1_001]);
    expect(player.whereabouts()).toMatchObject({ head: 13 });
  });
});

describe("a fragment", () => {
  beforeEach(() => {
    join();
    hls.tell("hlsLevelLoaded", { details: details() });
  });

  const context = (frag: Fragment, more: Partial<LoaderContext> = {}): LoaderContext => ({
    url: frag.url,
    responseType: "arraybuffer",
    frag,
    ...more,
  });

  it("is a segment that peers may have", () => {
    const wanted = player.wanted(context(fragment(12)));
    expect(wanted).toStrictEqual({ rendition: RENDITION, sequence: 12 });
    expect(player.wanted(context(fragment(12, { type: "audio" })))).toBeDefined();
  });

  it.each([
    ["an init segment", { sn: "initSegment" }, {}],
    ["subtitles", { type: "subtitle" }, {}],
    ["a part of a segment", {}, { part: {} }],
    ["an encrypted init section", {}, { resetIV: true }],
    ["media of somebody else", { baseurl: "https://other.example/x.m3u8" }, {}],
  ])("is none if it is %s", (_, frag, more) => {
    expect(player.wanted(context(fragment(12, frag), more))).toBeUndefined();
  });

  it("is due when the play head gets there", () => {
    expect(player.within(fragment(13))).toBe(0);
    play(0);
    expect(player.within(fragment(13))).toBe(0);
    const media = play(1, [0, 2]);
    expect(player.within(fragment(13))).toBe(5);
    media.playbackRate = 2;
    expect(player.within(fragment(13))).toBe(2.5);
    media.playbackRate = 0.5;
    expect(player.within(fragment(13))).toBe(5);
    media.currentTime = 100;
    expect(player.within(fragment(13))).toBe(0);
  });

  it("lies where the playlist says", () => {
    const ranged = fragment(11, { byteRangeStartOffset: 500, byteRangeEndOffset: 900 });
    hls.tell("hlsLevelLoaded", { details: details({ fragments: [null, ranged] }) });
    const key = { rendition: RENDITION, sequence: 11 };
    expect(player.locate(key)).toStrictEqual({ url: ranged.url, offset: 500, whole: false });
    expect(player.locate({ ...key, sequence: 12 })).toBeUndefined();
    hls.tell("hlsLevelLoaded", { details: details() });
    expect(player.locate(key)).toMatchObject({ offset: 0, whole: true });
  });
});

describe("requests", () => {
  const key = { rendition: RENDITION, sequence: 11 };

  it("are made by fetch where nothing tells them from hls.js's own", () => {
    join();
    expect(player.source(key)).toBe(fetchSource);
  });

  it.each([
    ["a set-up of the page's", { xhrSetup: () => undefined }],
    ["a loader of the page's", { loader: theirs }],
    ["a fragment loader of the page's", { fLoader: theirs }],
  ])("are made by %s where there is one", (_, config) => {
    Object.assign(hls.config, config);
    join();
    expect(player.source(key)).not.toBe(fetchSource);
  });
});
