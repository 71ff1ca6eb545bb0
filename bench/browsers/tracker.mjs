// The tracker that p2p-media-loader announces to: prints its port, runs until its input ends.

import Server from "bittorrent-tracker/server";

const tracker = new Server({ http: true, ws: true, udp: false, stats: false });
tracker.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
tracker.on("warning", () => undefined); // a page that was closed in the middle of a sentence
tracker.listen(0, "127.0.0.1", () => {
  console.log(tracker.http.address().port);
});
process.stdin.on("end", () => process.exit(0)).resume();
