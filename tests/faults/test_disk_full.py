"""No file may grow any further: the ingester says so and stops; with room again it ends where it would have ended."""

from pathlib import Path

from tests.faults.killing import Scene

LIMITS = [*range(8_192, 131_072, 16_384), *range(131_072, 1_500_000, 131_072)]
"""Bytes beyond which no file of the ingester may grow: a full disk for whoever writes, at another moment for each limit."""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """Whatever was being written when the disk was full, what is acknowledged stays, and the rest comes when there is room again."""
    full = 0
    for limit in LIMITS:
        scene = Scene(tmp_path / str(limit), seed=limit)
        scene.write(files=12, lines=40)
        racer = scene.ingester(largest=limit)
        code = racer.wait()
        full += code == 1
        assert code in (0, 1)
        assert code == 0 or any(word in racer.error for word in ("full", "too large", "disk I/O")), racer.error
        if (scene.home / "journal.db").exists():
            scene.judge()
        assert scene.ingester().wait() == 0
        scene.judge(complete=True)

    assert 3 < full < len(LIMITS)
