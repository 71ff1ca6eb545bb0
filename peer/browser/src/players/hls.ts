/**
 * hls.js as a player of ours: where it is, what its playlists say, and how it asks for bytes.
 *
 * It plays through our fragment loader (`config.fLoader`, which it reads for each fragment) from
 * when it joins a session until it is released. Playlists, keys and whatever else it loads stay
 * its own.
 */

import { fetchSource, type Source } from "../http-source";
import type { SegmentKey } from "../model";
import type { Located, Player, Whereabouts } from "../player";
import type { Session } from "../session";
import { Watch } from "../watch";
import { loaderFor } from "./hls-loader";
import { loaderSource } from "./hls-source";
import type {
  Fragment,
  Hls,
  LevelDetails,
  LoaderClass,
  LoaderContext,
  LoadStats,
} from "./hls-types";

type Listener = (event: string, data: never) => void;

/** A gap in what is buffered, in seconds, that hls.js itself plays across. */
const HOLE = 0.5;

/** `HTMLMediaElement.HAVE_CURRENT_DATA`: there is a picture. */
const HAVE_CURRENT_DATA = 2;

/** Segments from the edge of a live stream to where players begin. */
const BEHIND = 3;

export class HlsPlayer implements Player {
  private _session: Session | undefined;
  /** What loads fragments without us. */
  private readonly _base: LoaderClass;
  private readonly _theirs: LoaderClass | undefined;
  private _ours: LoaderClass | undefined;
  private readonly _prefetches: boolean | undefined;
  private readonly _playlists = new Map<string, LevelDetails>();
  private readonly _listeners: readonly [string, Listener][];
  private _media: HTMLMediaElement | undefined;
  private _loadingSince = performance.now();
  private readonly _watcher = new Watch(() => {
    this._onPicture();
  });
  private readonly _counted = new WeakSet<LoadStats>();

  constructor(private readonly _hls: Hls) {
    const { config } = _hls;
    this._theirs = config.fLoader;
    this._base = config.fLoader ?? config.loader;
    this._prefetches = config.startFragPrefetch;
    const listeners: [string, Listener][] = [
      ["hlsManifestLoading", this._onManifestLoading],
      ["hlsLevelLoaded", this._onPlaylist],
      ["hlsAudioTrackLoaded", this._onPlaylist],
      ["hlsFragLoaded", this._onLoaded],
      ["hlsFragBuffered", this._onMoved],
      ["hlsMediaAttaching", this._onMediaAttaching],
      ["hlsMediaAttached", this._onMedia],
      ["hlsMediaDetaching", this._onMediaDetaching],
      ["hlsDestroying", this._onDestroying],
    ];
    this._listeners = listeners.map(([event, listener]) => [event, this._guarded(listener)]);
  }

  /** Begins to play through us. Whatever the player has loaded until now is taken into account. */
  join(session: Session): void {
    const { _hls: hls } = this;
    this._session = session;
    for (const [event, listener] of this._listeners) hls.on(event, listener);
    hls.config.fLoader = this._ours = loaderFor(this, session, this._base);
    if (hls.media) this._onMediaAttaching();
    if (!hls.url) return;
    this._load(hls.url);
    const playlist = performance.getEntriesByName(hls.url)[0];
    if (playlist) this._loadingSince = playlist.startTime;
    for (const { details } of [...(hls.levels ?? []), ...(hls.audioTracks ?? [])]) {
      if (!details) continue;
      this._learn(details);
      for (const fragment of details.fragments) this._countEarlier(fragment);
    }
    this._onMedia();
    const shown = this._shownSince();
    if (shown) this._onPicture(shown);
  }

  release(): void {
    const { config } = this._hls;
    for (const [event, listener] of this._listeners) this._hls.off(event, listener);
    this._watch(undefined);
    this._onMediaDetaching();
    if (config.fLoader === this._ours) config.fLoader = this._theirs;
    this._playlists.clear();
  }

  // For the session

  whereabouts(): Whereabouts | undefined {
    const { config, levels, loadLevel, liveSyncPosition } = this._hls;
    const details = levels?.[loadLevel]?.details;
    const rendition = details && this._session?.rendition(details.url);
    if (!details || rendition === undefined) return undefined;
    const { _media: media } = this;
    // Before there is a picture: of a recording hls.js names a time near its end as well.
    const begin = details.live ? (liveSyncPosition ?? 0) : (media?.currentTime ?? 0);
    const time = media?.buffered.length ? media.currentTime : begin;
    return {
      rendition,
      head: sequenceAt(details, time),
      last: Math.max(details.endSN, details.startSN),
      buffer: media ? bufferedAfter(media) : 0,
      live: details.live,
      target: config.maxBufferLength,
      watched: this._watcher.figures(),
    };
  }

  locate(key: SegmentKey): Located | undefined {
    const frag = this._fragment(key);
    if (!frag) return undefined;
    const { byteRangeStartOffset: offset, url } = frag;
    return { url, offset: offset ?? 0, whole: offset === undefined };
  }

  source(key: SegmentKey): Source {
    const { config } = this._hls;
    const plain = Object.hasOwn(this._base.prototype as object, "openAndSendXhr");
    // hls.js's own loader, without a page's say in it, does what `fetch` does, but all at the end.
    if (plain && !config.xhrSetup) return fetchSource;
    return loaderSource(this._base, config, this._fragment(key));
  }

  // For the loader

  /** Whether a fragment is of our end point. */
  serves({ frag }: Pick<LoaderContext, "frag">): boolean {
    return frag !== undefined && this._session?.rendition(frag.baseurl) !== undefined;
  }

  /** The segment that a fragment is, if it is one that peers may have. */
  wanted({ frag, part, resetIV }: LoaderContext): SegmentKey | undefined {
    if (!frag || part || resetIV || frag.type === "subtitle") return undefined;
    const rendition = this._session?.rendition(frag.baseurl);
    const { sn: sequence } = frag;
    if (rendition === undefined || typeof sequence !== "number") return undefined;
    return { rendition, sequence };
  }

  /** Seconds until the play head gets to a fragment. */
  within({ start }: Fragment): number {
    const { _media: media } = this;
    // Nothing plays yet: and a live stream's clock does not begin at 0.
    if (!media || media.buffered.length === 0) return 0;
    return Math.max(0, start - media.currentTime) / Math.max(media.playbackRate, 1);
  }

  /** What the player takes the throughput to be, in bytes a second. */
  assumedRate(): number {
    return this._hls.bandwidthEstimate / 8;
  }

  /** A loader of ours counts by itself what goes by these. */
  own(stats: LoadStats): void {
    this._counted.add(stats);
  }

  // What hls.js tells

  /** hls.js would tell the page of an error of ours as if it were its own. */
  private _guarded(listener: Listener): Listener {
    return (event, data) => {
      try {
        listener(event, data);
      } catch {
        this._session?.destroy();
      }
    };
  }

  private readonly _onManifestLoading = (_: string, { url }: { readonly url: string }): void => {
    this._loadingSince = performance.now();
    this._load(url);
  };

  private readonly _onPlaylist = (
    _: string,
    { details }: { readonly details: LevelDetails },
  ): void => {
    this._learn(details);
    this._session?.moved();
  };

  private readonly _onLoaded = (_: string, { frag }: { readonly frag: Fragment }): void => {
    this._countEarlier(frag);
  };

  private readonly _onMoved = (): void => {
    this._session?.moved();
  };

  /**
   * There is an element to play in: nothing is gained by waiting until the browser has opened its
   * media source, as hls.js does by itself. If the playlist is there before that, it next looks
   * after 100 ms.
   */
  private readonly _onMediaAttaching = (): void => {
    this._hls.config.startFragPrefetch = true;
  };

  /** Without an element nobody waits for a picture. */
  private readonly _onMediaDetaching = (): void => {
    this._hls.config.startFragPrefetch = this._prefetches;
  };

  private readonly _onMedia = (): void => {
    this._watch(this._hls.media ?? undefined);
  };

  private readonly _onDestroying = (): void => {
    // Its loaders go first, so that none of them turns to plain HTTP because we go.
    queueMicrotask(() => this._session?.destroy());
  };

  private _onPicture(since = performance.now()): void {
    const took = since - this._loadingSince;
    this._watcher.started(took);
    this._session?.started(took);
  }

  private _load(url: string): void {
    this._playlists.clear();
    if (this._session?.load(url)) this._watcher.reset();
  }

  private _learn(details: LevelDetails): void {
    const rendition = this._session?.rendition(details.url);
    if (rendition === undefined) {
      const { endSN, live, startSN } = details;
      const sequence = live ? Math.max(startSN, endSN - BEHIND) : startSN;
      this._session?.seek(details.url, sequence, () => {
        this._learn(details);
      });
      return;
    }
    this._playlists.set(rendition, details);
    const sequence = this.whereabouts()?.head ?? details.startSN;
    this._session?.introduce(rendition, sequence);
  }

  /** Counts what was requested before we were there. */
  private _countEarlier(fragment: Fragment | null): void {
    if (!fragment || fragment.hasStats === false) return;
    const { stats } = fragment;
    if (!stats.loading.end || this._counted.has(stats)) return;
    this._counted.add(stats);
    if (this.serves({ frag: fragment })) this._session?.earlier(stats.loaded);
  }

  /**
   * Since when there is a picture, if there was one before us: since the fragment that it began with
   * was in the buffer.
   */
  private _shownSince(): number | undefined {
    const { media, levels } = this._hls;
    if (!media || media.readyState < HAVE_CURRENT_DATA) return undefined;
    const { currentTime, played } = media;
    const time = played.length ? played.start(0) : currentTime;
    for (const { details } of levels ?? []) {
      const first = details?.fragments.find(
        (fragment) => fragment && fragment.start + fragment.duration > time,
      );
      // Of a live stream it may be gone.
      if (!first || first.start > time + HOLE || first.hasStats === false) continue;
      if (first.stats.buffering?.end) return first.stats.buffering.end;
    }
    return undefined;
  }

  private _watch(media: HTMLMediaElement | undefined): void {
    this._media?.removeEventListener("seeking", this._onMoved);
    media?.addEventListener("seeking", this._onMoved);
    this._media = media;
    this._watcher.on(media);
  }

  private _fragment({ rendition, sequence }: SegmentKey): Fragment | undefined {
    const fragments = this._playlists.get(rendition)?.fragments;
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
