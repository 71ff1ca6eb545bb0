// bittorrent-tracker's own server: prints its port, runs until its input ends.

import Server from "../browsers/node_modules/bittorrent-tracker/server.js";

const tracker = new Server({ http: false, udp: false, ws: true, stats: false });
tracker.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
tracker.on("warning", () => undefined); // a client that was closed in the middle of a sentence
tracker.listen(0, "127.0.0.1", () => {
  console.log(tracker.http.address().port);
});
process.stdin.on("end", () => process.exit(0)).resume();
