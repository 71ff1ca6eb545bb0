// @ts-check
/** The player, as any page makes one: nothing in here knows of peers. */

const SOURCES = { vod: "/media/demo/index.m3u8", live: "/media/live/index.m3u8" };

/**
 * Where the server is this near, hls.js would have all of the video in two seconds, and then there
 * would be nothing left to see. Seconds that it may be ahead.
 */
const AHEAD = 12;

/** Milliseconds until the player tries again after it gave up on the network. */
const RETRY = 1000;

/**
 * @param {HTMLVideoElement} video
 * @param {"vod" | "live"} kind
 * @returns {any} the instance of hls.js; null where the browser has no Media Source Extensions
 */
export function play(video, kind) {
  const { Hls } = /** @type {any} */ (window);
  video.loop = kind === "vod";
  if (!Hls?.isSupported()) {
    video.src = SOURCES[kind];
    return null;
  }
  const hls = new Hls({ maxBufferLength: AHEAD, maxMaxBufferLength: AHEAD });
  hls.on(Hls.Events.ERROR, (/** @type {string} */ _, /** @type {any} */ { fatal, type }) => {
    if (!fatal) return;
    // The origin may be cut: it comes back, or peers deliver.
    if (type === Hls.ErrorTypes.NETWORK_ERROR) setTimeout(() => restart(hls, kind), RETRY);
    else if (type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  });
  hls.loadSource(SOURCES[kind]);
  hls.attachMedia(video);
  return hls;
}

/**
 * @param {any} hls
 * @param {"vod" | "live"} kind
 */
function restart(hls, kind) {
  if (hls.levels.length > 0) hls.startLoad();
  else hls.loadSource(SOURCES[kind]);
}
