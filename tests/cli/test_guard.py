"""The guard: when it denies, what it says then, and that nothing else of it ever stops an agent."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import gate
from cli.main import run as full
from tests.cli.homes import Outcome, at_home, mixed, reply, ringlet, run, transcript
from tests.sizes import times

ROOT = Path(__file__).parents[2]
BUDGETS = "[budgets.default]\nday = 20\nweek = 100\nmonth = 100\n[budgets.acme]\nday = 1\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    mixed(tmp_path)
    (tmp_path / "rl" / "config.toml").write_text(BUDGETS)
    assert ringlet(tmp_path, "usage").code == 0
    return tmp_path


def guard(home: Path, *words: str, now: str = "2026-05-13T12:00:00+00:00") -> Outcome:
    return ringlet(home, "guard", *words, now=now)


def test_below_the_limit_nothing_is_said(home: Path) -> None:
    """An agent that may go on hears nothing, on neither output."""
    assert guard(home, "--period", "day", "--limit", "18.84") == Outcome(0, "", "")


def test_a_spent_budget_denies_with_its_reason(home: Path) -> None:
    """18.75 (2 M in at $6, 300 K out at $22.50) + 0.0775 + 0.0045 = 18.832. A call without a known price is told, never guessed."""
    assert guard(home, "--period", "day", "--limit", "18.83") == Outcome(
        2,
        "",
        "ringlet: the budget is spent: $18.83 of $18.83 today (2026-05-13); 1 call has no known price and is not in it. "
        "Tool calls are denied until 2026-05-14 or until the limit is raised.\n",
    )


def test_reaching_a_limit_exactly_is_a_breach(home: Path) -> None:
    """Nothing is left then; a fraction of a cent more would be enough."""
    assert guard(home, "--period", "day", "--limit", "18.832").code == 2
    assert guard(home, "--period", "day", "--limit", "18.8320000000000001").code == 0


@pytest.mark.parametrize("period", ["day", "today"])
def test_day_and_today_are_one(home: Path, period: str) -> None:
    """Budgets call it a day, questions call it today."""
    assert guard(home, "--period", period, "--limit", "1").code == 2


def test_a_profile_is_judged_by_its_own_calls(home: Path) -> None:
    """Acme's week is two calls of Sonnet and Haiku at 1,000 in and 100 out: 0.0045 + 0.0015 = 0.006 (11 May is a Monday)."""
    assert guard(home, "--profile", "acme", "--period", "week", "--limit", "0.006").code == 2
    assert guard(home, "--profile", "acme", "--period", "week", "--limit", "0.0061").code == 0


def test_without_a_limit_every_budget_of_the_profile_holds(home: Path) -> None:
    """A budget that is breached for any of its periods denies; of several the one that lasts longest is told."""
    assert guard(home, "--profile", "default").code == 0
    (home / "rl" / "config.toml").write_text(BUDGETS.replace("day = 20", "day = 2").replace("month = 100", "month = 5"))

    outcome = guard(home, "--profile", "default")

    assert outcome.code == 2
    assert "of profile 'default' is spent: $18.84 of $5.00 this month (2026-05-01 to 2026-05-13)" in outcome.err
    assert "until 2026-06-01" in outcome.err


def test_a_period_picks_one_budget(home: Path) -> None:
    """The other budgets of the profile are not asked then."""
    (home / "rl" / "config.toml").write_text("[budgets.default]\nday = 1\nmonth = 1000\n")

    assert guard(home, "--profile", "default", "--period", "month").code == 0
    assert guard(home, "--profile", "default", "--period", "day").code == 2


def test_new_lines_count_at_once(home: Path) -> None:
    """What an agent has just written is read before it is judged."""
    assert guard(home, "--period", "day", "--limit", "19").code == 0
    transcript(home, "new", reply(90, "2026-05-13T11:30:00Z", input=200_000))
    assert guard(home, "--period", "day", "--limit", "19").code == 2


def test_a_new_day_is_free_again(home: Path) -> None:
    """Budgets are of calendar days: at midnight the sum begins at nothing."""
    assert guard(home, "--period", "day", "--limit", "1").code == 2
    assert guard(home, "--period", "day", "--limit", "1", now="2026-05-14T00:00:00+00:00").code == 0


@pytest.mark.parametrize("period", ["day", "week", "month", "7d", "yesterday", "last-month", "year", "all", "24h"])
@pytest.mark.parametrize("profile", ["default", "acme", "mine", None])
def test_the_guard_goes_by_what_usage_says(shared: Path, period: str, profile: str | None) -> None:
    """To the last digit: at the cost that `ringlet usage` states for the same period and profile it denies, a trifle above it does not."""
    filters = [] if profile is None else ["--profile", profile]
    usage = json.loads(
        ringlet(shared, "usage", "--json", "--period", "today" if period == "day" else period, *filters).out, parse_float=str
    )
    cost = str(usage["total_cost"]["total_cost"]) if usage["total_cost"] else "0"

    assert guard(shared, "--period", period, "--limit", cost, *filters).code == 2
    assert guard(shared, "--period", period, "--limit", f"{cost}{'' if '.' in cost else '.'}0001", *filters).code == 0


@pytest.mark.parametrize("lost", ["snapshot.base", "snapshot.today", "looked"])
def test_a_lost_file_of_the_views_changes_no_verdict(home: Path, lost: str) -> None:
    """Views can go at any time; the answer is then found the longer way: 18.832, and 0.015 of four small calls before 13 May."""
    (home / "rl" / "views" / lost).unlink(missing_ok=True)
    assert guard(home, "--period", "month", "--limit", "18.847").code == 2
    (home / "rl" / "views" / lost).unlink(missing_ok=True)
    assert guard(home, "--period", "month", "--limit", "18.8471").code == 0


MISUSE = [
    "",
    "--limit 5",
    "--profile default --period year",
    "--profile mine",
    "--profile nobody --period day --limit 5",
    "--profile nobody",
    "--period someday --limit 5",
    "--period day --limit much",
    "--period day --limit=-5",
    "--period day --limit",
    "--period day --limit=",
    "--period day --limit nan",
    "--nonsense",
    "nonsense",
    "--profile default install",
    "--profile default install mine --nonsense",
    "install",
    "remove nobody",
]


@pytest.mark.parametrize("line", MISUSE)
@pytest.mark.parametrize("way", [gate.main, full])
def test_misuse_lets_the_agent_go_on(home: Path, line: str, way: object) -> None:
    """Whatever is wrong with a command line is exit code 1 and one line on standard error, never the code that denies."""
    with at_home(home):
        outcome = run(way, ["guard", *line.split()])

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert outcome.err.startswith("ringlet: ")


@pytest.mark.parametrize("trouble", ["config", "broken config", "budget", "profiles", "home"])
def test_trouble_of_its_own_lets_the_agent_go_on(home: Path, trouble: str) -> None:
    """Settings that cannot be read, rules that are none, no store and no home: one line, exit code 1."""
    words = ["--profile", "default"]
    if trouble == "config":
        (home / "rl" / "config.toml").unlink()
        (home / "rl" / "config.toml").mkdir()
    elif trouble == "broken config":
        (home / "rl" / "config.toml").write_text("[budgets")
    elif trouble == "budget":
        (home / "rl" / "config.toml").write_text("[budgets.default]\nday = -1\n")
    elif trouble == "profiles":
        (home / "rl" / "profiles.json").write_text("[]")
    with at_home(home):
        if trouble == "home":
            del os.environ["HOME"], os.environ["RINGLET_HOME"]
        outcome = run(gate.main, ["guard", *words])

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)


def options(names: dict[str, list[str]]) -> st.SearchStrategy[list[str]]:
    """Command lines of some options, each at most once, in any order and both spellings."""

    @st.composite
    def lines(draw: st.DrawFn) -> list[str]:
        words = []
        for option, values in names.items():
            value = draw(st.none() | st.sampled_from(values))
            if value is not None:
                words.append(draw(st.sampled_from([[option, value], [f"{option}={value}"]])))
        return [part for word in draw(st.permutations(words)) for part in word]

    return lines()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    mixed(made)
    (made / "rl" / "config.toml").write_text(BUDGETS)
    ringlet(made, "usage")
    return made


NAMES = {
    "--profile": ["default", "acme", "mine", "nobody"],
    "--period": ["day", "today", "week", "month", "7d", "24h", "year", "never"],
    "--limit": ["0", "0.006", "18.832", "19", "1e2", "much"],
}


@settings(max_examples=times(100), deadline=None)
@given(words=options(NAMES))
def test_both_ways_judge_alike(shared: Path, words: list[str]) -> None:
    """Over the whole grammar the gate's exit code and words are those of the full command line."""
    with at_home(shared):
        assert gate.options(words, gate.GUARD) is not None
        assert run(gate.main, ["guard", *words]) == run(full, ["guard", *words])


@pytest.mark.parametrize("line", ["--limit", "--limit=", "--limit 5 --limit 6", "--limit -5", "--json", "install work", "--help"])
def test_what_is_not_in_the_grammar_is_left_to_the_full_command_line(line: str) -> None:
    """An option twice, without its value, or anything unknown."""
    assert gate.options(line.split(), gate.GUARD) is None


@pytest.mark.parametrize("said", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"tool_name":"Bash"}', b"x" * 9_000_000])
def test_whatever_an_agent_says_it_is_heard_out(home: Path, said: bytes) -> None:
    """Nothing at all, half a JSON text, and megabytes are read to their end, so that the agent's pipe never breaks."""
    # Whoever speaks here may stand still for longer than an agent is waited for.
    start = "import sys; from cli import hearing; hearing.heard.__kwdefaults__['wait_s'] = 90.0\n"
    start += "from cli.gate import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", start, "guard", "--period", "all", "--limit", "1"]
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=env, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(said)
        process.stdin.close()
        assert process.wait(90) == 2


def test_an_agent_that_never_ends_is_answered(home: Path) -> None:
    """A pipe that stays open does not hold the answer back."""
    command = [sys.executable, "-m", "ringlet", "guard", "--period", "all", "--limit", "1"]
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=env, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b'{"half')
        process.stdin.flush()
        assert process.wait(90) == 2


@pytest.mark.parametrize("command", ["guard --period all --limit 1", "statusline"])
def test_interrupted_it_ends_without_a_word(home: Path, command: str) -> None:
    """Ctrl-C while an agent is listened to is exit code 130, no verdict and no traceback."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
    # Sent from within, so that it comes neither too early nor too late.
    start = "import os, select, signal, sys; select.select = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"
    start += "from cli.gate import main; sys.exit(main(sys.argv[1:]))"
    argv = [sys.executable, "-c", start, *command.split()]
    done = subprocess.run(argv, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_reason_that_nobody_takes_still_denies(home: Path) -> None:
    """With standard error closed the exit code is left, and it says the same."""
    command = f"{sys.executable} -m ringlet guard --period all --limit 1 2>&-"
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT)}

    assert subprocess.run(["sh", "-c", command], env=env, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode == 2
