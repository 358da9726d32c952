"""How a command is measured: interleaved rounds, medians, ratios.

Decides what a fair comparison is. All commands run in turn in each round, so that a busy moment meets every one of them; wall time, CPU
time of the process with its children and peak memory are kept per run, and medians are compared. Rivals take part where they are found.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import corpus

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Run:
    """One run of one command."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of user and system time, waited-for children included."""
    peak: int
    """Bytes: summed proportional set size of the process tree where it was sampled, else 0."""
    output: bytes


@dataclass
class Command:
    """What is measured: `prepare` and `check` run outside the clock, before and after each run."""

    name: str
    argv: Sequence[str]
    env: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None
    check: Callable[[bytes], None] | None = None
    said: Path | None = None
    """What it reads on standard input; None: nothing."""
    sample_memory: bool = False
    runs: list[Run] = field(default_factory=list)

    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

    def peak(self) -> int:
        return max(run.peak for run in self.runs)


def once(command: Command) -> Run:
    """Run a command to its end; raises `RuntimeError` with its error output when it fails."""
    if command.prepare:
        command.prepare()
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC", **command.env}
    with open(command.said or os.devnull) as said:
        began = time.perf_counter()
        process = subprocess.Popen(command.argv, env=env, cwd=ROOT, stdin=said, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        sampler = _Memory(process.pid) if command.sample_memory else None
        output, error = _drain(process)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = sampler.stop() if sampler else 0
    if process.returncode:
        raise RuntimeError(f"{command.name}: exit {process.returncode}: {error.decode(errors='replace')[-2000:]}")
    if command.check:
        command.check(output)
    return Run(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak=peak, output=output)


def _drain(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """All of both outputs, without waiting for the process: `wait4` must do that, for its CPU time."""
    assert process.stdout
    assert process.stderr
    errors: list[bytes] = []
    stderr = process.stderr
    reader = threading.Thread(target=lambda: errors.append(stderr.read()))
    reader.start()
    output = process.stdout.read()
    reader.join()
    process.stdout.close()
    stderr.close()
    return output, errors[0]


class _Memory(threading.Thread):
    """Samples the summed proportional set size of a process and its descendants: shared pages count once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.done = pid, 0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self.done.wait(0.02):
            self.peak = max(self.peak, sum(_pss(pid) for pid in _tree(self.pid)))

    def stop(self) -> int:
        self.done.set()
        self.join()
        return self.peak


def _tree(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            found += [below for child in children for below in _tree(int(child))]
    return found


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def interleaved(commands: Sequence[Command], *, rounds: int, warm_up: bool = True) -> None:
    """Run all commands in turn, `rounds` times, after one round that does not count."""
    for number in range(-1 if warm_up else 0, rounds):
        for command in commands:
            run = once(command)
            if number >= 0:
                command.runs.append(run)
        print(f"  round {number + 1} of {rounds}" if number >= 0 else "  warm-up", file=sys.stderr)


def table(title: str, commands: Sequence[Command], *, against: Sequence[Command]) -> str:
    """Medians of all commands and their ratios (wall / CPU) to the ones in `against`, as Markdown."""
    heads = ["command", "wall ms", "CPU ms", "peak MB", *(f"x {other.name}" for other in against)]
    lines = [f"### {title}", "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for command in commands:
        peak = f"{command.peak() / 1e6:.0f}" if command.peak() else "-"
        ratios = [f"{command.wall() / other.wall():.3g} / {command.cpu() / max(other.cpu(), 1e-6):.3g}" for other in against]
        lines.append("| " + " | ".join([command.name, f"{command.wall() * 1e3:.1f}", f"{command.cpu() * 1e3:.1f}", peak, *ratios]) + " |")
    return "\n".join([*lines, ""])


def ringlet(*args: str) -> list[str]:
    """argv of ringlet: the console script beside this interpreter, else what such a script would do in this checkout."""
    script = Path(sys.executable).with_name("ringlet")
    if script.exists():
        return [str(script), *args]
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from ringlet.__main__ import main; sys.exit(main())"
    return [sys.executable, "-c", start, *args]


BARE = (os.path.realpath(sys.executable), "-I", "-S", "-c", "pass")
"""The bare interpreter: what a Python program costs at the least. The real file, not a shim."""

_RIVALS = {
    "ccusage": ("CCUSAGE", "@ccusage/ccusage-linux-x64/bin/ccusage"),
    "tokscale": ("TOKSCALE", "@tokscale/cli-linux-x64-gnu/bin/tokscale"),
}


def rival(name: str) -> str | None:
    """The native program of a rival: named by the environment, else below a `node_modules`; None where there is none."""
    variable, inside = _RIVALS[name]
    if os.environ.get(variable):
        return os.environ[variable]
    for folder in (Path(os.environ.get("NODE_MODULES", ROOT / "node_modules")), ROOT.parent / "node_modules"):
        if os.access(folder / inside, os.X_OK):
            return str(folder / inside)
    print(f"  {name} was not found: set {variable} to its program, or NODE_MODULES to where npm put it", file=sys.stderr)
    return None


def ccusage(home: Path) -> list[Command]:
    """ccusage's daily report over the corpus, where it is installed."""
    program = rival("ccusage")
    env = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / ".claude")}
    return [Command("ccusage", [program, "claude", "daily", "--json", "--offline"], env)] if program else []


def tokscale(home: Path, *, cold: bool) -> list[Command]:
    """tokscale's report by model over the corpus, where it is installed, with or without its own cache."""
    program = rival("tokscale")
    # Without the second setting each run waits for price downloads, which say nothing about its speed.
    env = {"HOME": str(home), "TOKSCALE_PRICING_CACHE_ONLY": "1"}
    argv = [program or "", "models", "--json", "--no-spinner", "-c", "claude"]

    def forget() -> None:
        for cache in (home / ".config" / "tokscale", home / ".cache" / "tokscale"):
            shutil.rmtree(cache, ignore_errors=True)

    name = "tokscale, cold" if cold else "tokscale, warm"
    return [Command(name, argv, env, prepare=forget if cold else None)] if program else []


def arguments(description: str | None, *, size: str | None = "2G", rounds: int = 5) -> argparse.ArgumentParser:
    """The options that the benchmarks share."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    if size:
        parser.add_argument("--bytes", default=size, help=f"size of the corpus (default: {size})")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"rounds that count (default: {rounds})")
    parser.add_argument(
        "--work", type=Path, default=Path.home() / ".cache" / "ringlet-benchmarks", help="where corpora and stores are kept"
    )
    return parser


def home(work: Path, size: str, *options: str) -> tuple[Path, dict[str, Any]]:
    """A home directory with a corpus of `size`, made once, and its truth about Claude Code."""
    folder = work / "-".join(["corpus", size, *(option.strip("-") for option in options)])
    if not (folder / "truth.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        corpus.main(["--bytes", size, "--out", str(folder), *options])
    truth: dict[str, Any] = json.loads((folder / "truth.json").read_text())["agents"]["claude"]
    return folder, truth


def settled(store: Path, patience_s: float = 60.0) -> None:
    """Returns when nothing works in `store` any more: a first answer leaves the sealing of the log to a process of its own."""
    mark = f"RINGLET_HOME={store}\0".encode()
    end = time.monotonic() + patience_s
    while time.monotonic() < end and any(mark in _environ(each) for each in Path("/proc").glob("[0-9]*/environ")):
        time.sleep(0.02)


def _environ(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # another user's, or gone


def exact(truth: dict[str, Any]) -> Callable[[bytes], None]:
    """A check that `ringlet usage --period all --json` printed the corpus's own sums."""

    def check(output: bytes) -> None:
        said = json.loads(output)["total_tokens"]
        total = truth["total"]
        due = {
            "input_tokens": total["input"],
            "output_tokens": total["output"],
            "cache_creation_input_tokens": total["cache_write_5m"] + total["cache_write_1h"],
            "cache_read_input_tokens": total["cache_read"],
        }
        if {name: said[name] for name in due} != due:
            raise RuntimeError(f"wrong totals: {said}, the corpus holds {due}")

    return check


def size_below(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def machine() -> str:
    """One line about where and when this ran."""
    model = "unknown processor"
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    version = ".".join(map(str, sys.version_info[:3]))
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} x {model}, {sys.platform}, Python {version}, load {os.getloadavg()[0]:.1f}"


@contextlib.contextmanager
def store(work: Path, name: str) -> Iterator[Path]:
    """An empty folder for ringlet's own files, removed afterwards."""
    folder = work / f"store-{name}-{os.getpid()}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
