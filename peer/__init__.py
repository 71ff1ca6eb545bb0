"""The peers: `peer.native` is a process, `peer/browser` the same thing in a tab."""
