// What a test wants to know of a viewer: stalls, start-up, what the player was given.
// A stall is one for want of bytes. With some ready it is the machine that has no time to decode them,
// as many browsers share it: that is told apart, as `starved`.
window.probe = { stalls: 0, starved: 0, stalledMs: 0, startupMs: null, played: 0, given: 0, digests: {}, errors: [] };

const sha256 = async (bytes) => crypto.subtle.digest("SHA-256", bytes);

window.addEventListener("error", (event) => probe.errors.push(String(event.message)));
window.addEventListener("unhandledrejection", (event) => probe.errors.push(String(event.reason)));

function load(url, attributes = {}) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.async = false;
    for (const [name, value] of Object.entries(attributes)) script.setAttribute(name, value);
    script.onload = resolve;
    // A snippet that can't be had must not keep the page from going on.
    script.onerror = url.includes("p2pcdn") ? resolve : reject;
    script.src = url;
    document.head.append(script);
  });
}

const READY = 1; // seconds of media with which no player waits for more

// Seconds of media that lie ready.
function bufferedAfter({ buffered }, at) {
  for (let n = 0; n < buffered.length; n++) {
    if (buffered.start(n) <= at && at < buffered.end(n)) return buffered.end(n) - at;
  }
  return 0;
}

function watch(video) {
  const born = performance.now();
  let last = 0;
  let since = born;
  let ready = 0; // as of the last movement
  let waiting = false;
  setInterval(() => {
    const now = performance.now();
    const at = video.currentTime;
    if (at > last + 0.001) {
      if (probe.startupMs === null) probe.startupMs = now - born;
      else if (waiting) probe.stalledMs += now - since;
      probe.played += Math.min(at - last, 1);
      waiting = false;
      last = at;
      since = now;
      ready = bufferedAfter(video, at);
    } else if (probe.startupMs !== null && !video.paused && !video.ended && !video.seeking && now - since > 400) {
      if (!waiting) probe[ready < READY ? "stalls" : "starved"] += 1;
      waiting = true;
    }
  }, 50);
}

function startPlayer(Hls, media, config = {}) {
  const video = document.getElementById("video");
  // Without a worker the bytes are still here when the player says that it has them.
  const hls = new Hls({ enableWorker: false, ...config, ...(window.playerConfig ?? {}) });
  hls.on(Hls.Events.FRAG_LOADED, async (_, data) => {
    if (data.frag.type !== "main") return;
    probe.given += data.payload.byteLength;
    const digest = await Promise.resolve(data.payload.slice(0))
      .then((payload) => sha256(payload))
      .catch(() => undefined); // some tests take it away, or break it
    if (!digest) return;
    const hex = [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
    probe.digests[new URL(data.frag.url).pathname] = hex;
  });
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.fatal) probe.errors.push(`hls: ${data.details}`);
  });
  watch(video);
  hls.loadSource(media);
  hls.attachMedia(video);
  video.play().catch(() => undefined);
  return hls;
}
