// @ts-check
/** The player, as any page makes one: nothing in here knows of peers. */

/**
 * Where the playlist of a film is, which `p2pcdn add` may have put there.
 * @param {string} name
 */
export const sourceOf = (name) =>
  `/media/${name.split("/").map(encodeURIComponent).join("/")}/index.m3u8`;

/**
 * Where the server is this near, hls.js would have all of the video in two seconds, and then there
 * would be nothing left to see. Seconds that it may be ahead.
 */
const AHEAD = 12;

/** Milliseconds until the player tries again after it gave up on the network. */
const RETRY = 1000;

/**
 * @param {HTMLVideoElement} video
 * @param {string} source URL of the playlist
 * @param {boolean} loop
 * @returns {any} the instance of hls.js; null where the browser has no Media Source Extensions
 */
export function play(video, source, loop) {
  const { Hls } = /** @type {any} */ (window);
  video.loop = loop;
  if (!Hls?.isSupported()) {
    video.src = source;
    return null;
  }
  const hls = new Hls({ maxBufferLength: AHEAD, maxMaxBufferLength: AHEAD });
  hls.on(Hls.Events.ERROR, (/** @type {string} */ _, /** @type {any} */ { fatal, type }) => {
    if (!fatal) return;
    // The origin may be cut: it comes back, or peers deliver.
    if (type === Hls.ErrorTypes.NETWORK_ERROR) setTimeout(() => restart(hls, source), RETRY);
    else if (type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  });
  hls.loadSource(source);
  hls.attachMedia(video);
  return hls;
}

/**
 * @param {any} hls
 * @param {string} source
 */
function restart(hls, source) {
  if (hls.levels.length > 0) hls.startLoad();
  else hls.loadSource(source);
}
