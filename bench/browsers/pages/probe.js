// What is measured of a viewer, the same for all contestants.
//
//   startPlayer  makes the player as the contestant's own documentation says, and calls play()
//   probe        start-up, stalls, which segments the player was given, what peers took

window.probe = {
  startupMs: null, // from play() to the first picture that moves
  openedMs: null, // from the beginning of the page to the same
  stalls: 0,
  stalledMs: 0,
  played: 0,
  ended: false,
  loaded: [], // the path of each segment that the player was given
  uploadedBytes: 0,
  fromPeers: 0, // bytes of whole segments that p2p-media-loader had of them
  wasteBytes: 0,
  asked: [], // what ours asked the origin for, and by which of its rules
  longestWaitMs: 0, // for which the page's own loop did nothing that was due
  errors: [],
};

const STALL = 400; // milliseconds without movement that a viewer sees
const LOOK_EVERY = 20;
const FIRST_LOOKS_EVERY = 4; // a start-up of 100 ms is not to be told in steps of 20

window.addEventListener("error", ({ message }) => probe.errors.push(String(message)));
window.addEventListener("unhandledrejection", ({ reason }) => probe.errors.push(String(reason)));

function startPlayer(Hls, media, config) {
  const video = document.getElementById("video");
  const hls = config.p2p ? sharing(Hls, config) : new Hls(config);
  window.hls = hls;
  hls.on(Hls.Events.FRAG_LOADED, (_, { frag }) => {
    if (frag.type === "main") probe.loaded.push(new URL(frag.url).pathname);
  });
  listen(hls, Hls.Events.FRAG_LOADING);
  hls.on(Hls.Events.ERROR, (_, { fatal, details }) => {
    if (fatal) probe.errors.push(`hls: ${details}`);
  });
  hls.loadSource(media);
  hls.attachMedia(video);
  watch(video);
  video.play().catch(() => undefined);
}

// p2p-media-loader, and what it says of itself.
function sharing(Hls, config) {
  const hls = new (HlsJsP2PEngine.injectMixin(Hls))(config);
  const on = (name, listener) => hls.p2pEngine.addEventListener(name, listener);
  on("onChunkUploaded", (bytes) => (probe.uploadedBytes += bytes));
  on("onChunkDownloaded", (bytes) => (probe.wasteBytes += bytes));
  on("onSegmentLoaded", ({ bytesLength, downloadSource }) => {
    probe.wasteBytes -= bytesLength;
    if (downloadSource === "p2p") probe.fromPeers += bytesLength;
  });
  return hls;
}

// What ours says of its requests, once it is there.
function listen(hls, event) {
  let session;
  hls.on(event, () => {
    if (session || !window.p2pcdn) return;
    session = window.p2pcdn.attach(hls); // which it has found by itself before anybody hears of this
    session.addEventListener("fetch", ({ detail: { sequence, span, rule } }) => {
      probe.asked.push({ sequence, span, rule });
    });
  });
}

function watch(video) {
  const born = performance.now();
  let last = 0;
  let since = born;
  let waiting = false;
  let due = born + LOOK_EVERY;
  const first = setInterval(() => {
    const at = video.currentTime;
    if (video.seeking || video.readyState < 2) {
      last = at; // live begins with a jump to where it is now
    } else if (at > last + 0.001) {
      since = performance.now();
      probe.startupMs = since - born;
      probe.openedMs = since;
      clearInterval(first);
    }
  }, FIRST_LOOKS_EVERY);
  setInterval(() => {
    const now = performance.now();
    probe.longestWaitMs = Math.max(probe.longestWaitMs, now - due);
    due = now + LOOK_EVERY;
    const at = video.currentTime;
    probe.ended = video.ended;
    if (probe.startupMs === null) return;
    if (at > last + 0.001) {
      if (waiting) probe.stalledMs += now - since;
      probe.played += Math.min(at - last, 1);
      waiting = false;
      last = at;
      since = now;
    } else if (!video.ended && !video.seeking && now - since > STALL) {
      if (!waiting) probe.stalls += 1;
      waiting = true;
    }
  }, LOOK_EVERY);
}

// All that is to be kept of this viewer.
function outcome() {
  const { p2pcdn, hls } = window;
  const stats = p2pcdn?.getStats() ?? null;
  return {
    ...probe,
    ...(stats && { uploadedBytes: stats.uploadedBytes, wasteBytes: stats.wasteBytes }),
    stats,
    latency: hls?.latestLevelDetails?.live ? hls.latency : null, // seconds behind live
    hlsVersion: hls?.constructor.version,
  };
}
