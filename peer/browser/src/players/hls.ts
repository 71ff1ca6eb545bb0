/**
 * hls.js as a player of ours: where it is, what its playlists say, and how it asks for bytes.
 *
 * It plays through our fragment loader (`config.fLoader`, which it reads for each fragment) from the
 * moment this object is made until it is released. Playlists, keys and whatever else it loads stay
 * its own.
 */

import { fetchSource, type Source } from "../http-source";
import type { SegmentKey } from "../model";
import type { Located, Player, Whereabouts } from "../player";
import type { Session } from "../session";
import { loaderFor } from "./hls-loader";
import { loaderSource } from "./hls-source";
import type { Fragment, Hls, LevelDetails, LoaderClass, LoaderContext } from "./hls-types";

/** A gap in what is buffered, in seconds, that hls.js itself plays across. */
const HOLE = 0.5;

export class HlsPlayer implements Player {
  private session: Session | undefined;
  /** What loads fragments without us. */
  private readonly base: LoaderClass;
  private readonly theirs: LoaderClass | undefined;
  private ours: LoaderClass | undefined;
  private readonly playlists = new Map<string, LevelDetails>();
  private readonly listeners: readonly [string, (event: string, data: never) => void][];
  private media: HTMLMediaElement | undefined;
  private loadingSince = performance.now();

  constructor(private readonly hls: Hls) {
    const { config } = hls;
    this.theirs = config.fLoader;
    this.base = config.fLoader ?? config.loader;
    this.listeners = [
      ["hlsManifestLoading", this.onManifestLoading],
      ["hlsLevelLoaded", this.onPlaylist],
      ["hlsAudioTrackLoaded", this.onPlaylist],
      ["hlsFragBuffered", this.onMoved],
      ["hlsMediaAttached", this.onMedia],
      ["hlsDestroying", this.onDestroying],
    ];
  }

  /** Begins to play through us. Whatever the player has loaded until now is taken into account. */
  join(session: Session): void {
    const { hls } = this;
    this.session = session;
    for (const [event, listener] of this.listeners) hls.on(event, listener);
    hls.config.fLoader = this.ours = loaderFor(this, session, this.base);
    if (!hls.url) return;
    this.load(hls.url);
    for (const { details } of hls.levels ?? []) if (details) this.learn(details);
    this.onMedia();
  }

  release(): void {
    const { config } = this.hls;
    for (const [event, listener] of this.listeners) this.hls.off(event, listener);
    this.watch(undefined);
    if (config.fLoader === this.ours) config.fLoader = this.theirs;
    this.playlists.clear();
  }

  // For the session

  whereabouts(): Whereabouts | undefined {
    const { levels, loadLevel, liveSyncPosition } = this.hls;
    const details = levels?.[loadLevel]?.details;
    const rendition = details && this.session?.rendition(details.url);
    if (!details || rendition === undefined) return undefined;
    const { media } = this;
    const time = media?.buffered.length ? media.currentTime : (liveSyncPosition ?? 0);
    return {
      rendition,
      head: sequenceAt(details, time),
      last: Math.max(details.endSN, details.startSN),
      buffer: media ? bufferedAfter(media) : 0,
      live: details.live,
    };
  }

  locate(key: SegmentKey): Located | undefined {
    const frag = this.fragment(key);
    if (!frag) return undefined;
    const { byteRangeStartOffset: offset, url } = frag;
    return { url, offset: offset ?? 0, whole: offset === undefined };
  }

  source(key: SegmentKey): Source {
    const { config } = this.hls;
    const plain = Object.hasOwn(this.base.prototype as object, "openAndSendXhr");
    // hls.js's own loader, without a page's say in it, does what `fetch` does, but all at the end.
    if (plain && !config.xhrSetup) return fetchSource;
    return loaderSource(this.base, config, this.fragment(key));
  }

  // For the loader

  /** Whether a fragment is of our end point. */
  serves({ frag }: LoaderContext): boolean {
    return frag !== undefined && this.session?.rendition(frag.baseurl) !== undefined;
  }

  /** The segment that a fragment is, if it is one that peers may have. */
  wanted({ frag, part, resetIV }: LoaderContext): SegmentKey | undefined {
    if (!frag || part || resetIV || frag.type === "subtitle") return undefined;
    const rendition = this.session?.rendition(frag.baseurl);
    const { sn: sequence } = frag;
    if (rendition === undefined || typeof sequence !== "number") return undefined;
    return { rendition, sequence };
  }

  /** Seconds until the play head gets to a fragment. */
  within({ start }: Fragment): number {
    const { media } = this;
    // Nothing plays yet: and a live stream's clock does not begin at 0.
    if (!media || media.buffered.length === 0) return 0;
    return Math.max(0, start - media.currentTime) / Math.max(media.playbackRate, 1);
  }

  /** What the player takes the throughput to be, in bytes a second. */
  assumedRate(): number {
    return this.hls.bandwidthEstimate / 8;
  }

  // What hls.js tells

  private readonly onManifestLoading = (_: string, { url }: { readonly url: string }): void => {
    this.loadingSince = performance.now();
    this.load(url);
  };

  private readonly onPlaylist = (_: string, { details }: { readonly details: LevelDetails }): void => {
    this.learn(details);
    this.session?.moved();
  };

  private readonly onMoved = (): void => {
    this.session?.moved();
  };

  private readonly onMedia = (): void => {
    this.watch(this.hls.media ?? undefined);
  };

  private readonly onDestroying = (): void => {
    // Its loaders go first, so that none of them turns to plain HTTP because we go.
    queueMicrotask(() => this.session?.destroy());
  };

  private readonly onPicture = (): void => {
    this.session?.started(performance.now() - this.loadingSince);
  };

  private load(url: string): void {
    this.playlists.clear();
    this.session?.load(url);
  }

  private learn(details: LevelDetails): void {
    const rendition = this.session?.rendition(details.url);
    if (rendition === undefined) return;
    this.playlists.set(rendition, details);
    const sequence = this.whereabouts()?.head ?? details.startSN;
    this.session?.introduce(rendition, sequence);
  }

  private watch(media: HTMLMediaElement | undefined): void {
    for (const [event, listener] of [
      ["loadeddata", this.onPicture],
      ["seeking", this.onMoved],
    ] as const) {
      this.media?.removeEventListener(event, listener);
      media?.addEventListener(event, listener);
    }
    this.media = media;
  }

  private fragment({ rendition, sequence }: SegmentKey): Fragment | undefined {
    const fragments = this.playlists.get(rendition)?.fragments;
    return fragments?.find((fragment) => fragment?.sn === sequence) ?? undefined;
  }
}

/** The segment that plays at a time; the first one before all, the last one after all. */
function sequenceAt({ fragments, startSN }: LevelDetails, time: number): number {
  let sequence = startSN;
  for (const fragment of fragments) {
    if (typeof fragment?.sn !== "number" || fragment.start > time) continue;
    sequence = fragment.sn;
  }
  return sequence;
}

/** Seconds of media ahead of the play head without a gap. */
function bufferedAfter({ buffered, currentTime }: HTMLMediaElement): number {
  let end = currentTime;
  for (let at = 0; at < buffered.length; at++) {
    if (buffered.start(at) <= end + HOLE) end = Math.max(end, buffered.end(at));
  }
  return end - currentTime;
}
