"""What every storage does, wherever it keeps the figures."""

from __future__ import annotations

from p2pcdn.core.amounts import MOST_BYTES, Amounts
from p2pcdn.core.ledger_ports import Reading
from p2pcdn.core.rollup import Rollup
from tests.tracker.storage.batches import NOW, Place, batch, of_groups, opened, span, totals
from tracker.storage import Opening, Range


async def test_what_is_written_can_be_read_at_once(place: Place) -> None:
    storage, opening = await opened(place)
    assert opening == Opening(Amounts(), NOW)
    await storage.write(batch(1, 2, 3, *[0] * 17, 4))
    points = await storage.points(span(10), 10)
    assert [(point.at - NOW, point.figures.amounts.origin_bytes) for point in points] == [
        (0, 6),
        (10, 0),
        (20, 4),
    ]
    assert points[0].figures.seconds == 9
    assert points[0].figures.viewer_seconds == 5
    assert points[0].figures.viewers_max == 3
    (share,) = await storage.shares([span(60)], 10)
    assert (share.content, share.figures.amounts.origin_bytes) == ("a", 10)
    await storage.close()


async def test_points_are_added_up_by_step(place: Place) -> None:
    storage, _ = await opened(place)
    await storage.write(batch(*range(50)))
    for width, step in ((10, 10), (10, 30), (10, 60), (60, 60), (60, 600), (3600, 3600)):
        points = await storage.points(span(width), step)
        assert sum(point.figures.amounts.origin_bytes for point in points) == sum(range(50))
        assert sum(point.figures.seconds for point in points) == 49
        assert all(point.at % step == 0 for point in points)
        assert [point.at for point in points] == sorted({point.at for point in points})
        assert max(point.figures.viewers_max for point in points) == 49
    await storage.close()


async def test_a_batch_that_is_written_twice_counts_once(lasting: Place) -> None:
    storage, _ = await opened(lasting)
    for _ in range(3):
        await storage.write(batch(5, 6))
    await storage.write(batch(5, 6, 7))
    await storage.write(batch(5, 6, 7))
    (point,) = await storage.points(span(60), 60)
    assert point.figures.amounts.origin_bytes == 18
    await storage.close()
    assert await totals(lasting) == 18


async def test_runs_and_parts_of_them_add_up(lasting: Place) -> None:
    for run in range(3):
        storage, opening = await opened(lasting)
        assert opening.total.origin_bytes == run * 10
        assert opening.since == NOW
        await storage.write(batch(10))
        await storage.write(batch(10, part=1)._replace(total=Amounts(origin_bytes=10)))
        await storage.close()
    storage, opening = await opened(lasting)
    assert opening.total.origin_bytes == 30
    (point,) = await storage.points(span(3600), 3600 * 24)
    assert point.figures.amounts.origin_bytes == 60
    await storage.close()


async def test_two_processes_may_share_the_file(lasting: Place) -> None:
    (one, _), (other, _) = await opened(lasting), await opened(lasting)
    for size in range(1, 6):
        await one.write(batch(size))
        await other.write(batch(10 * size))
    assert len(await one.points(span(10), 10)) == 1
    assert await one.others() == Opening(Amounts(origin_bytes=50), NOW)
    assert await other.others() == Opening(Amounts(origin_bytes=5), NOW)
    await one.close()
    await other.close()
    assert await totals(lasting) == 5 + 50


async def test_the_contents_with_most_bytes_come_first_and_not_all_do(lasting: Place) -> None:
    storage, _ = await opened(lasting)
    written = batch(1, content="few")
    for content, size in (("most", 3), ("many", 2)):
        written = written.then(batch(size, content=content))
    await storage.write(written)
    shares = await storage.shares([span(10)], 2)
    assert [share.content for share in shares] == ["most", "many"]
    await storage.close()


async def test_figures_of_liars_overflow_nothing(lasting: Place) -> None:
    lie = Amounts(peer_bytes_claimed=MOST_BYTES)
    for _ in range(2):
        storage, opening = await opened(lasting)
        rollup = Rollup()
        for second in range(1100):
            # Each is an hour of its own, so no row of ours bounds the sum.
            rollup.receive(Reading({"a": lie}, {}), NOW + 3600.0 * second)
        made = rollup.take_batch()
        assert made is not None
        await storage.write(made)
        after = 3600 * 1101
        (point,) = await storage.points(Range(0, NOW + after, 3600), 10**10)
        assert point.figures.amounts.peer_bytes_claimed == MOST_BYTES
        (share,) = await storage.shares([Range(0, NOW + after, 3600)], 10)
        assert share.figures.amounts.peer_bytes_claimed == MOST_BYTES
        await storage.close()
    assert opening.total.peer_bytes_claimed == MOST_BYTES


async def test_groups_and_failures_add_up(place: Place) -> None:
    storage, _ = await opened(place)
    for _ in range(2):  # once more does no harm
        await storage.write(of_groups(NOW, DE=1, FR=2))
    await storage.write(of_groups(NOW + 60, FR=1, AT=1))
    shares = await storage.groups([span(60)], "country", 10)
    assert [(share.name, share.figures.amounts.joins) for share in shares] == [
        ("FR", 6),
        ("AT", 2),
        ("DE", 2),
    ]
    assert [share.name for share in await storage.groups([span(60)], "country", 1)] == ["FR"]
    assert await storage.groups([span(60)], "browser", 10) == []
    counts = await storage.failures([span(60)], 10)
    assert [(c.kind, c.reason, c.count) for c in counts] == [
        ("link", "timeout", 12),
        ("socket", "banned", 4),
    ]
    assert len(await storage.failures([span(60)], 1)) == 1
    await storage.close()
