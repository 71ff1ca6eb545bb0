// Unmodified clients of WebTorrent's trackers in one process, for the tests of ours: does what each line of
// its input says, in JSON, and prints what the clients say, a line each. It is built into one file, with an
// implementation of WebRTC that needs no install script in place of the one that the clients would take.
//
//   {"do": "open", "client": "a", "url": ..., "infoHash": ..., "peerId": ...}
//   {"do": "start" | "update" | "complete" | "stop" | "destroy", "client": "a", "opts": {...}}
//   {"do": "scrape", "url": ..., "infoHash": one or several}
//   {"do": "send", "client": "a", "bytes": 100000}                  to each peer, over a data channel
//   {"do": "state", "client": "a"}

import { createInterface } from "node:readline";

import wrtc from "@roamhq/wrtc";
import Client from "bittorrent-tracker/client";

const clients = new Map();
const peers = new Map(); // by client: those it has a connection with

const say = (client, event, more = {}) => {
  console.log(JSON.stringify({ client, event, ...more }));
};

function open({ client: name, url, infoHash, peerId }) {
  const client = new Client({
    infoHash,
    peerId,
    announce: [url],
    port: 6881,
    wrtc,
    rtcConfig: { iceServers: [] },
  });
  clients.set(name, client);
  peers.set(name, []);
  client.on("update", ({ complete, incomplete, interval, infoHash: hash }) => {
    say(name, "update", { complete, incomplete, interval, infoHash: hash });
  });
  client.on("warning", ({ message }) => say(name, "warning", { message }));
  client.on("error", ({ message }) => say(name, "error", { message }));
  client.on("peer", (peer) => {
    say(name, "peer", { id: peer.id });
    let received = 0;
    peer.on("connect", () => {
      peers.get(name).push(peer);
      say(name, "connect", { id: peer.id });
    });
    peer.on("data", (data) => {
      received += data.length;
      say(name, "data", { id: peer.id, received });
    });
    peer.on("error", () => undefined);
  });
}

const does = {
  open,
  start: ({ client, opts }) => clients.get(client).start(opts),
  update: ({ client, opts }) => clients.get(client).update(opts),
  complete: ({ client, opts }) => clients.get(client).complete(opts),
  stop: ({ client, opts }) => clients.get(client).stop(opts),
  destroy: ({ client }) => clients.get(client).destroy(() => say(client, "destroyed")),
  scrape: ({ url, infoHash }) => {
    Client.scrape({ announce: [url], infoHash, wrtc }, (error, results) => {
      say("", "scrape", { message: error?.message, results });
    });
  },
  send: ({ client, bytes }) => {
    for (const peer of peers.get(client)) peer.send(new Uint8Array(bytes));
  },
  // Whether it has given the tracker up for a while.
  state: ({ client }) => {
    const [tracker] = clients.get(client)._trackers;
    say(client, "state", { reconnecting: tracker.reconnecting });
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const told = JSON.parse(line);
    does[told.do](told);
  })
  .on("close", () => process.exit(0));
say("", "ready");
