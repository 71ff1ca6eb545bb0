/** As much of hls.js (1.4 and later) as we touch: its public API and nothing else. */

export interface LoadTiming {
  start: number;
  first: number;
  end: number;
}

/** Written to by a loader; the player holds on to the object from the moment there is a loader. */
export interface LoadStats {
  aborted: boolean;
  loaded: number;
  total: number;
  /** Bits a second. */
  bwEstimate: number;
  loading: LoadTiming;
  /** `end`: when it had been appended; 0 before that. */
  readonly buffering?: LoadTiming;
}

export interface Fragment {
  /** Media sequence number, or "initSegment". */
  readonly sn: number | string;
  /** "main", "audio" or "subtitle". */
  readonly type: string;
  /** Seconds on the timeline of the media element. */
  readonly start: number;
  readonly duration: number;
  readonly url: string;
  /** Of the playlist. */
  readonly baseurl: string;
  readonly stats: LoadStats;
  /** Since hls.js 1.7, which makes them on demand. */
  readonly hasStats?: boolean;
  readonly byteRangeStartOffset?: number | undefined;
  readonly byteRangeEndOffset?: number | undefined;
}

export interface LevelDetails {
  /** Of the playlist. */
  readonly url: string;
  readonly live: boolean;
  readonly startSN: number;
  readonly endSN: number;
  readonly fragments: readonly (Fragment | null)[];
}

export interface Playlist {
  readonly details?: LevelDetails | undefined;
}

export interface LoaderContext {
  readonly url: string;
  readonly frag?: Fragment;
  readonly part?: unknown;
  /** Since hls.js 1.7. */
  readonly type?: string;
  readonly resetIV?: boolean;
  readonly responseType: string;
  readonly headers?: Record<string, string>;
  /** Both 0 without a range; the end is not included. */
  readonly rangeStart?: number;
  readonly rangeEnd?: number;
}

export interface LoadPolicy {
  readonly maxLoadTimeMs: number;
  readonly errorRetry?: unknown;
  readonly timeoutRetry?: unknown;
}

export interface LoaderConfiguration {
  readonly loadPolicy: LoadPolicy;
  readonly timeout: number;
  readonly maxRetry: number;
  readonly retryDelay: number;
  readonly maxRetryDelay: number;
  readonly highWaterMark?: number;
}

export interface LoaderResponse {
  readonly url: string;
  readonly data?: unknown;
  readonly code?: number;
}

type Heard<T> = (stats: LoadStats, context: LoaderContext, details: T) => void;

export interface LoaderCallbacks {
  onSuccess(
    response: LoaderResponse,
    stats: LoadStats,
    context: LoaderContext,
    details: unknown,
  ): void;
  onError(
    error: { code: number; text: string },
    context: LoaderContext,
    details: unknown,
    stats: LoadStats,
  ): void;
  onTimeout: Heard<unknown>;
  onAbort?: Heard<unknown>;
  onProgress?(stats: LoadStats, context: LoaderContext, data: unknown, details: unknown): void;
}

export interface Loader {
  readonly context: LoaderContext | null;
  readonly stats: LoadStats;
  load(
    context: LoaderContext,
    config: LoaderConfiguration,
    callbacks: LoaderCallbacks,
  ): void;
  abort(): void;
  destroy(): void;
  getCacheAge?(): number | null;
  getResponseHeader?(name: string): string | null;
}

export type LoaderClass = new (config: HlsConfig) => Loader;

export interface HlsConfig {
  loader: LoaderClass;
  fLoader?: LoaderClass | undefined;
  readonly xhrSetup?: unknown;
  readonly fetchSetup?: unknown;
  /** Seconds of media that it loads ahead. */
  readonly maxBufferLength?: number;
  /** Whether the first fragment is asked for before a media source is open. */
  startFragPrefetch?: boolean | undefined;
  readonly fragLoadPolicy?: { readonly default: LoadPolicy };
}

export interface Hls {
  readonly config: HlsConfig;
  /** Of the presentation; nothing until there is one. */
  readonly url?: string | null;
  readonly media?: HTMLMediaElement | null;
  readonly levels?: readonly Playlist[];
  readonly audioTracks?: readonly Playlist[];
  readonly loadLevel: number;
  /** Where a live stream is to be joined, in seconds. */
  readonly liveSyncPosition?: number | null;
  /** Bits a second. */
  readonly bandwidthEstimate: number;
  on(event: string, listener: (event: string, data: never) => void): void;
  off(event: string, listener: (event: string, data: never) => void): void;
  trigger(...args: unknown[]): boolean;
}

export interface HlsClass {
  readonly prototype: Hls;
}
