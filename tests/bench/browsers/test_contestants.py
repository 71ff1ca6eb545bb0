"""The contestants differ in what they are for, and in nothing else."""

from __future__ import annotations

from bench.browsers.contestants import CONTESTANTS, HLS, OURS, P2PML, PLAIN, TUNED

TRACKER = "ws://127.0.0.1:1"


def test_all_give_the_same_to_hls() -> None:
    assert PLAIN.config(TRACKER) == OURS.config(TRACKER) == HLS
    for each in CONTESTANTS.values():
        assert each.config(TRACKER).items() >= HLS.items()


def test_nobody_is_told_of_a_server_elsewhere() -> None:
    core = P2PML.config(TRACKER)["p2p"]["core"]
    assert core == {"announceTrackers": [TRACKER], "rtcConfig": {"iceServers": []}}
    assert TUNED.config(TRACKER)["p2p"]["core"] == {**core, "highDemandTimeWindow": 4}
