"""Who is asking: tokens, codes, sessions, and the daemon's own proof."""

import os
import stat
import threading
from pathlib import Path

import pytest

from cli.paths import Paths
from cli.serve import tokens
from cli.serve.access import CODE_S, FAILURES, SESSION_S, WINDOW_S, Access, prove
from cli.serve.tokens import ROLES
from pipeline.errors import RingletError

NOW = 1_750_000_000.0


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return Paths(str(tmp_path / "home"), str(tmp_path / "home/config.toml"))


def test_a_token_opens_as_its_role_and_nothing_else_does(where: Paths) -> None:
    """Each role has its own token; a part of one, more than one, or another's home's is none."""
    access = Access(where)
    admin, viewer = tokens.token(where, "admin"), tokens.token(where, "viewer")

    assert (access.role_of(admin), access.role_of(viewer)) == ("admin", "viewer")
    for wrong in ("", admin[:-1], admin + "A", admin + viewer, admin.upper(), " " + admin, "ringlet_", "\udcff", "ä" * 50):
        assert access.role_of(wrong) is None


def test_a_token_is_256_random_bits_that_stay(where: Paths) -> None:
    """43 letters of 6 bits behind a name; asking again gives the same."""
    admin = tokens.token(where, "admin")

    assert len(admin) == len("ringlet_") + 43
    assert tokens.token(where, "admin") == admin != tokens.token(where, "viewer")


def test_rotating_ends_the_old_token_and_its_logins_at_once(where: Paths) -> None:
    """A running daemon notices by itself; the other role goes on."""
    access = Access(where)
    old, viewer = tokens.token(where, "admin"), tokens.token(where, "viewer")
    session = access.login(access.code("admin", NOW), NOW)
    watching = access.login(access.code("viewer", NOW), NOW)
    assert session is not None
    assert watching is not None

    new = tokens.rotate(where, "admin")

    assert (access.role_of(old), access.role_of(new), access.role_of(viewer)) == (None, "admin", "viewer")
    assert (access.session(session, NOW), access.session(watching, NOW)) == (None, "viewer")


def test_files_are_ours_alone_from_the_first_moment(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """0600 in a folder 0700, whatever the umask; never written first and closed afterwards."""
    seen: list[int] = []
    real = os.open

    def watched(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        fd = real(path, flags, mode, **more)
        if flags & os.O_CREAT and "access" in str(path):
            seen.append(stat.S_IMODE(os.fstat(fd).st_mode))
            assert flags & os.O_EXCL
            assert flags & os.O_NOFOLLOW
        return fd

    monkeypatch.setattr(os, "open", watched)
    before = os.umask(0)
    try:
        access = Access(where)
        access.login(access.code("admin", NOW), NOW)
        tokens.rotate(where, "admin")
    finally:
        os.umask(before)

    assert seen == [0o600] * 4
    folder = os.path.join(where.data, "access")
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert {stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) for name in os.listdir(folder)} == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_token_that_others_may_have_read_or_written_opens_nothing(where: Paths, mode: int) -> None:
    """It is refused at the start and, in a daemon that runs, from then on."""
    access = Access(where)
    admin = tokens.token(where, "admin")
    assert access.role_of(admin) == "admin"
    os.chmod(tokens.file(where, "admin"), mode)

    assert access.role_of(admin) is None
    with pytest.raises(RingletError, match="open to other users"):
        tokens.token(where, "admin")
    with pytest.raises(RingletError):
        Access(where)


def test_a_folder_that_is_open_is_refused(where: Paths) -> None:
    """Others could put a token of theirs there."""
    tokens.token(where, "admin")
    os.chmod(os.path.join(where.data, "access"), 0o750)

    with pytest.raises(RingletError, match="chmod 700"):
        tokens.token(where, "admin")


def test_a_link_is_not_followed(where: Paths, tmp_path: Path) -> None:
    """Neither to read a token through it nor to take its folder."""
    good = tokens.token(where, "admin")
    (tmp_path / "elsewhere").write_text(good + "\n")
    (tmp_path / "elsewhere").chmod(0o600)
    os.unlink(tokens.file(where, "admin"))
    os.symlink(tmp_path / "elsewhere", tokens.file(where, "admin"))

    with pytest.raises(RingletError):
        tokens.token(where, "admin")
    tokens.rotate(where, "admin")
    assert (tmp_path / "elsewhere").read_text() == good + "\n"


@pytest.mark.parametrize("text", ["", "\n", "ringlet_short\n", "x" * 51, "ringlet_" + "A" * 44 + "\n", "ringlet_" + "A" * 42 + "\n"])
def test_what_is_no_token_is_not_taken_for_one(where: Paths, text: str) -> None:
    """An empty or broken file never means an empty token."""
    access = Access(where)
    Path(tokens.file(where, "viewer")).write_text(text)

    assert access.role_of(text) is None
    assert access.role_of(text.strip()) is None
    with pytest.raises(RingletError, match="rotate"):
        tokens.token(where, "viewer")


def test_a_missing_file_lets_nobody_in(where: Paths) -> None:
    """Not even whoever presents nothing."""
    access = Access(where)
    admin = tokens.token(where, "admin")
    os.unlink(tokens.file(where, "admin"))

    assert [access.role_of(text) for text in (admin, "", "-" * 64)] == [None, None, None]


def test_all_who_make_a_token_at_once_get_the_same(where: Paths) -> None:
    """However many begin together, one token remains, and nobody sees half of it."""
    found: set[str] = set()
    threads = [threading.Thread(target=lambda: found.add(tokens.token(where, "admin"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {tokens.token(where, "admin")}
    assert sorted(os.listdir(os.path.join(where.data, "access"))) == ["admin.token"]


def test_a_code_opens_one_session_within_a_minute(where: Paths) -> None:
    """The second time it is worth nothing, and so it is after its time, and before."""
    access = Access(where)
    code = access.code("admin", NOW)

    session = access.login(code, NOW + CODE_S - 1)
    assert session is not None
    assert access.session(session, NOW + CODE_S) == "admin"
    assert access.login(code, NOW) is None
    assert access.login(access.code("admin", NOW), NOW + CODE_S) is None
    assert access.login(access.code("admin", NOW), NOW - 1) is None
    assert access.login("", NOW) is None


def test_a_code_carries_its_role(where: Paths) -> None:
    """A viewer's code makes a viewer's session."""
    access = Access(where)
    session = access.login(access.code("viewer", NOW), NOW)

    assert session is not None
    assert access.session(session, NOW) == "viewer"


def test_a_session_ends_by_logout_and_by_age(where: Paths) -> None:
    """And one that never was is none."""
    access = Access(where)
    one, other = (access.login(access.code("admin", NOW), NOW) for _ in range(2))
    assert one is not None
    assert other is not None
    access.logout(one)

    assert (access.session(one, NOW), access.session(other, NOW)) == (None, "admin")
    assert access.session(other, NOW + SESSION_S - 1) == "admin"
    assert access.session(other, NOW + SESSION_S) is None
    assert access.session("", NOW) is None


def test_a_session_outlives_the_daemon_but_stands_in_no_file(where: Paths) -> None:
    """What is kept is a digest: whoever reads the file cannot be that browser."""
    access = Access(where)
    session = access.login(access.code("admin", NOW), NOW)
    assert session is not None

    assert Access(where).session(session, NOW) == "admin"
    folder = Path(where.data, "access")
    assert all(session.encode() not in path.read_bytes() for path in folder.iterdir())


def test_a_broken_file_of_sessions_means_logging_in_again(where: Paths) -> None:
    """It stops nobody from starting."""
    access = Access(where)
    session = access.login(access.code("admin", NOW), NOW)
    Path(where.data, "access", "sessions.json").write_bytes(b"{broken")

    assert session is not None
    assert Access(where).session(session, NOW) is None


def test_after_ten_failures_one_waits_until_the_first_is_a_minute_old(where: Paths) -> None:
    """Ten are told that they are wrong, then all are told how long; after it the count begins anew."""
    access = Access(where)

    assert [access.failed(NOW + number) for number in range(FAILURES)] == [None] * FAILURES
    assert access.failed(NOW + 10) == 51
    assert access.failed(NOW + WINDOW_S - 0.5) == 1
    assert access.failed(NOW + WINDOW_S) is None


def test_a_clock_that_is_set_back_locks_nobody_out(where: Paths) -> None:
    """Failures of a time to come are forgotten."""
    access = Access(where)
    for _ in range(FAILURES):
        access.failed(NOW + 86400)

    assert access.failed(NOW) is None


def test_the_proof_needs_the_admin_token_and_belongs_to_one_port_and_nonce(where: Paths, tmp_path: Path) -> None:
    """So it can neither be made without the file nor be fetched from another daemon, nor be used again."""
    access = Access(where)
    proof = access.proof("ab" * 32, 8765)

    assert proof == prove(tokens.token(where, "admin"), "ab" * 32, 8765)
    other = Paths(str(tmp_path / "other"), "")
    assert len({proof, access.proof("ab" * 32, 8766), access.proof("cd" * 32, 8765), Access(other).proof("ab" * 32, 8765)}) == 4
    assert tokens.token(where, "admin") not in proof


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_reads_none_of_the_files(where: Paths, tmp_path: Path) -> None:
    """Seen from a second user id: no token, no session, not even the folder's list; and root refuses a folder of theirs."""
    access = Access(where)
    access.login(access.code("admin", NOW), NOW)
    folder = os.path.join(where.data, "access")
    wanted = [folder, where.data, *(os.path.join(folder, name) for name in os.listdir(folder))]
    for parent in (tmp_path, *tmp_path.parents):
        if str(parent).startswith("/tmp/"):
            os.chmod(parent, os.stat(parent).st_mode | 0o711)
    child = os.fork()
    if child == 0:
        readable = 0
        try:
            os.setgid(65534)
            os.setuid(65534)
            for path in wanted:
                try:
                    os.close(os.open(path, os.O_RDONLY))
                    readable += 1
                except PermissionError:
                    pass
        finally:
            os._exit(readable)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    for path in (tokens.file(where, ROLES[0]), folder):
        os.chown(path, 65534, 65534)
        with pytest.raises(RingletError, match="belongs to user 65534"):
            tokens.token(where, "admin")
        os.chown(path, 0, 0)
