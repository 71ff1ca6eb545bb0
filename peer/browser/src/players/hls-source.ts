/**
 * Bytes from the origin by the player's own loader, for pages that have their own ways with
 * requests: `xhrSetup`, `fetchSetup`, a loader class, CMCD. They come all at once, at the end; until
 * then empty data says that an answer is on its way, so that it does not count as silent.
 */

import { fetchSource, type Source } from "../http-source";
import type {
  Fragment,
  HlsConfig,
  LoaderClass,
  LoaderConfiguration,
  LoaderContext,
} from "./hls-types";

/** Milliseconds, should the player have no policy: hls.js's own default. */
const TIMEOUT = 120_000;

/** Milliseconds between two looks at how much has come. */
const LOOK_AGAIN = 400;

export function loaderSource(
  base: LoaderClass,
  config: HlsConfig,
  frag: Fragment | undefined,
): Source {
  return (request, sink) => {
    if (request.fresh) return fetchSource(request, sink); // loaders can't pass caches by
    const { url, range } = request;
    const loader = new base(config);
    const { stats } = loader;
    const since = performance.now();
    let seen = 0;
    const look = (): void => {
      // hls.js's loader by `fetch` counts nothing before the end.
      const uncounted = stats.loading.first > 0 && stats.loaded === 0;
      if (stats.loaded > seen || uncounted) sink.data(new Uint8Array());
      seen = stats.loaded;
    };
    const looks = self.setInterval(look, LOOK_AGAIN);
    const over = (): void => {
      clearInterval(looks);
      loader.destroy();
    };
    const failed = (reason: "status" | "timeout"): void => {
      sink.lost(stats.loaded);
      sink.failed(reason);
      over();
    };
    const context: LoaderContext = {
      url,
      ...(frag && { frag }),
      part: null,
      type: "media-fragment",
      responseType: "arraybuffer",
      headers: {},
      rangeStart: range ? range[0] : 0,
      rangeEnd: range ? range[1] + 1 : 0,
    };
    try {
      loader.load(context, onceOnly(config), {
        onSuccess: ({ data }) => {
          const took = (performance.now() - since) / 1_000;
          const ttfb = Math.min(took, Math.max(0, stats.loading.first - since) / 1_000);
          if (data instanceof ArrayBuffer) sink.data(new Uint8Array(data));
          sink.done(ttfb, took);
          over();
        },
        onError: () => {
          failed("status");
        },
        onTimeout: () => {
          failed("timeout");
        },
      });
    } catch (error) {
      over();
      throw error;
    }
    return () => {
      sink.lost(stats.loaded);
      over();
    };
  };
}

/** Retrying is the core's business. */
function onceOnly({ fragLoadPolicy }: HlsConfig): LoaderConfiguration {
  const policy = fragLoadPolicy?.default ?? { maxLoadTimeMs: TIMEOUT };
  return {
    loadPolicy: { ...policy, errorRetry: null, timeoutRetry: null },
    timeout: policy.maxLoadTimeMs,
    maxRetry: 0,
    retryDelay: 0,
    maxRetryDelay: 0,
    highWaterMark: Infinity,
  };
}
