"""`ringlet usage --watch`: an answer, and the next one when it is another.

Decides when the question is asked again and what is said of a changed answer. It is the question of `ringlet usage`, asked in the same
way, so both say the same. The daemon says when there is news; while none runs, the logs are looked at every second or so, as `ringlet
usage` looks at them, and what is new is read. Nobody is kept from watching: no lock is held.

Once a minute it is asked in any case: the day may have ended, a price or a rule may have changed.
"""

import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack

from cli import app, render
from cli.ask import Request, WrongUsage
from cli.escaped import escaped
from cli.figures import count, many, usd
from cli.paths import paths
from cli.screen import Screen
from cli.serve.channel import Channel
from cli.stopping import Stopping
from cli.waker import NEWS, Waker
from pipeline.errors import RingletError
from views import calendar
from views.query import Answer

LEAST_S, MOST_S = 0.5, 15.0
"""Bounds of the time between two looks at the logs while no daemon tells of news."""
SHARE = 500
"""A look that finds nothing may take this part of the time until the next."""
PAUSE_S = 0.2
"""At least so long between two answers, and `TIMES` as long as the last one took."""
TIMES = 4
MINUTE_S = 60.0

Words = Callable[[render.Look], str]


def follow(request: Request) -> int:
    """Answer, and again after each change, until asked to stop; the exit code of the signal that asked. Raises as `app.usage` does."""
    _refuse(request)
    question = _Question(request)
    terminal = not request.json and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    # A question that means nothing ends here, and a first import ends at once where it is asked to.
    question.ask()
    with ExitStack() as held:
        stop = held.enter_context(Stopping())
        waker = held.enter_context(Waker())
        channel = Channel(paths(), waker.news)
        channel.start()
        held.callback(channel.stop)
        if not terminal:
            return _Lines(question, channel, waker, stop).run()
        screen = held.enter_context(Screen(color=app.look(request).color))
        code = _Drawn(question, channel, waker, stop, screen).run()
    app.written(question.text())
    return code


def _refuse(request: Request) -> None:
    if request.export is not None or request.chart:
        raise WrongUsage("--watch follows a table", mend="leave it out, or the export")
    if not request.sync:
        raise WrongUsage("--watch looks for new log lines, --no-sync does not", mend="leave one of them out")


class _Question:
    """What was asked, and the last answer."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer: Answer
        self.trouble = ""
        """Why the last time there was no answer; empty where there was one."""
        self.look_s = 0.0
        """Processor time of the last look, without what it led to: the first answer loads much that no look needs."""
        self.took_s = 0.0
        """Processor time of the last look and of what it led to."""
        self._words: Words
        self._basis: object = None

    def text(self) -> str:
        """The last answer in the words of `ringlet usage`."""
        return self._words(app.look(self.request))

    def ask(self) -> None:
        """Ask again. Raises RingletError and OSError where there is no answer."""
        began = time.process_time()
        now = app.clock()
        seen = app.Seen()
        try:
            snapshot = app.fresh(now, sync=True, seen=seen)
            self.look_s = time.process_time() - began
            if snapshot is None or self._basis != self._basis_of(snapshot.header, now):
                self._ask(now, seen)
        finally:
            self.took_s = time.process_time() - began

    def try_to_ask(self) -> None:
        """Ask again; where there is no answer the last one stands, and `trouble` says why."""
        try:
            self.ask()
            self.trouble = ""
        except (RingletError, OSError) as error:
            self.trouble = escaped(str(error)) or type(error).__name__

    def _ask(self, now: int, seen: app.Seen) -> None:
        from cli.refresh import opened  # the log and the adapters: not for a look that finds nothing

        with opened(paths(), os.environ, now) as store:
            store.swept, store.memory = seen.swept, seen.memory
            store.refreshed()
            # Before the answer: what another process writes meanwhile is asked about again.
            basis = self._basis_of(store.snapshot.header, now)
            self.answer, self._words = app.settled(store, lambda: app.told(self.request, app.checked(self.request, store, now), store, now))
            store.tidy()
        self._basis = basis

    def _basis_of(self, header: object, now: int) -> object:
        """All that an answer depends on: while it is the same, so is the answer."""
        facts = [getattr(header, name) for name in ("position", "stamps", "env", "folders", "tz", "cost_mode", "profiles")]
        rolling = self.request.period == "24h" or self.request.blocks
        today = calendar.day_at(self.request.tz or str(facts[4]), now)
        return (*facts, today, now // 60_000_000 if rolling else None)


class _Followed(ABC):
    """The loop: wait for news, ask, and show what changed."""

    def __init__(self, question: _Question, channel: Channel, waker: Waker, stop: Stopping) -> None:
        self._question = question
        self._channel = channel
        self._waker = waker
        self._stop = stop

    def run(self) -> int:
        """Until asked to stop; the exit code of the signal."""
        question, stop = self._question, self._stop
        self.show()
        asked = time.monotonic()
        while not stop():
            heard = self._channel.url is not None
            pause = MINUTE_S if heard else min(max(LEAST_S, SHARE * question.look_s, TIMES * question.took_s), MOST_S)
            woken = self._waker.wait(max(0.0, asked + pause - time.monotonic()))
            if stop():
                break
            self.woken(woken)
            if NEWS in woken:
                self._rest(asked + max(PAUSE_S, TIMES * question.took_s))
            elif time.monotonic() < asked + pause:
                continue
            question.try_to_ask()
            asked = time.monotonic()
            self.show()
        return stop.code

    def _rest(self, until: float) -> None:
        """Let more news come before they are asked about together."""
        while not self._stop() and (left := until - time.monotonic()) > 0:
            self.woken(self._waker.wait(left))

    def woken(self, by: bytes) -> None:  # noqa: B027 - only one of the two minds
        """A signal has come."""

    @abstractmethod
    def show(self) -> None:
        """Show the answer, if it is another than the one that is shown."""


class _Lines(_Followed):
    """For a file or a program: a line for each answer that differs from the one before."""

    _shown: tuple[str, str] | None = None

    def show(self) -> None:
        answer = self._question.answer
        said = _object(self._question.text()) if self._question.request.json else _line(answer)
        if self._question.trouble:
            said = (self._question.trouble, "")
        if self._shown is not None and said[0] == self._shown[0]:
            return
        if self._question.trouble:
            print(f"ringlet: {self._question.trouble}", file=sys.stderr, flush=True)
        else:
            if self._shown is None and not self._question.request.json:
                app.written(render.heading(answer.query) + "\n")
            app.written(said[1])
        self._shown = said


class _Drawn(_Followed):
    """For a terminal: the answer fills it."""

    def __init__(self, question: _Question, channel: Channel, waker: Waker, stop: Stopping, screen: Screen) -> None:
        super().__init__(question, channel, waker, stop)
        self._screen = screen
        self._drawn: object = None
        self._changed_us = app.clock()
        self._text = ""

    def woken(self, by: bytes) -> None:
        if bytes((signal.SIGTSTP,)) in by:
            self._screen.leave()
            os.kill(os.getpid(), signal.SIGSTOP)
            self._screen.enter()
            self._drawn = None
        if bytes((signal.SIGWINCH,)) in by:
            self._drawn = None
        if self._drawn is None:
            self.show()

    def show(self) -> None:
        question = self._question
        text = question.text()
        if text != self._text:
            self._text, self._changed_us = text, question.answer.as_of_us
        status = f"{calendar.at(question.answer.query.tz, self._changed_us):%H:%M:%S} · {self._followed()} · Ctrl-C ends"
        status = f"{question.trouble} · {status}" if question.trouble else status
        if self._drawn != (text, status):
            self._drawn = text, status
            self._screen.draw(text, status)

    def _followed(self) -> str:
        return "following the daemon" if self._channel.url is not None else "following the logs"


def _line(answer: Answer) -> tuple[str, str]:
    """(what is said, the line that says it): the totals of an answer."""
    totals = answer.totals
    unpriced = f"  ({many(totals.unpriced_requests, 'call')} unpriced)" if totals.unpriced_requests else ""
    tokens = f"{count(totals.prompt, 'short')} / {count(totals.output, 'short')}"
    said = f"{tokens}  {usd(totals.cost)}  {many(totals.requests, 'call')}{unpriced}"
    return said, f"{calendar.at(answer.query.tz, answer.as_of_us):%Y-%m-%d %H:%M:%S}  {said}\n"


def _object(text: str) -> tuple[str, str]:
    """(what is said, the line that says it): the object of `--json` in one line."""
    # No newline stands inside a value.
    lines = [line.strip() for line in text.splitlines()]
    return "".join(line for line in lines if not line.startswith('"as_of"')), "".join(lines) + "\n"
