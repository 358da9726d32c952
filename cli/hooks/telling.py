"""From an alert that was decided to whoever is to be told: one attempt of a hook, and how attempts follow each other.

Decides how often and how long it is tried. An attempt is counted before it is made, so a crash in the middle of one costs its pause and
nothing else; whoever was told and could not be noted is told again, under the same idempotency key.
"""

import logging
import random
import time
from collections.abc import Callable, Mapping

from cli.hooks import message as messages
from cli.hooks import shell, webhook
from cli.hooks.book import Hook, Hooks
from pipeline.outbox import DELIVERED, DROPPED, GIVEN_UP, Alert, Outbox

logger = logging.getLogger("ringlet.hooks")

PAUSES_S = (2.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
"""After the first attempt, the second, and so on; when they are used up it is given up, some 31 hours after it was decided."""
JITTER = 0.2
"""Each pause is longer or shorter by up to this share: many machines must not knock at one door at once."""


def attempt(
    hook: Hook, body: bytes, name: str, environ: Mapping[str, str], now_us: int, *, ending: Callable[[], bool] = lambda: False
) -> tuple[bool, str]:
    """Whether a message was delivered, and what that ended with, in words without secrets."""
    try:
        if hook.webhook is None:
            return shell.run(hook.shell or "false", body, messages.variables(body), environ, ending=ending)
        return webhook.send(
            hook.webhook,
            body,
            name=name,
            at_s=now_us // 1_000_000,
            secret=hook.signing,
            allow_http=hook.allow_http,
            allow_private=hook.allow_private,
            ending=ending,
        )
    except ValueError as error:
        # Such as a secret that was typed into the file and is none: that must not hold up the others.
        return False, f"cannot be told ({type(error).__name__})"


class Teller:
    """Tells what waits in the outbox, one at a time; used by one thread."""

    def __init__(self, outbox: Outbox, environ: Mapping[str, str], ending: Callable[[], bool]) -> None:
        self._outbox = outbox
        self._environ = environ
        self._ending = ending

    def tell(self, hooks: Hooks) -> float | None:
        """Make every attempt that is due. Seconds until the next one is; None where nothing waits."""
        for alert in self._outbox.waiting():
            if self._ending():
                return None
            if (alert.next_at_us or 0) <= _now_us():
                self._attempt(alert, hooks)
        left = self._outbox.waiting()
        return None if not left else max((left[0].next_at_us or 0) - _now_us(), 0) / 1e6

    def _attempt(self, alert: Alert, hooks: Hooks) -> None:
        hook = next((hook for hook in hooks.hooks if hook.id == alert.hook), None)
        if hook is None:
            self._outbox.settle(alert, DROPPED, "the hook was removed", _now_us())
            return
        if not self._outbox.attempt(alert, _now_us() + _pause_us(alert.attempts)):
            return
        name = messages.identity(alert.hook, alert.window)
        done, said = attempt(hook, alert.message, name, self._environ, _now_us(), ending=self._ending)
        if done:
            self._outbox.settle(alert, DELIVERED, said, _now_us())
            logger.info("hook %s: %s delivered (%s)", hook.id, alert.window, said)
        elif alert.attempts >= len(PAUSES_S):
            self._outbox.settle(alert, GIVEN_UP, said, _now_us())
            logger.warning("hook %s: %s given up after %d attempts: %s", hook.id, alert.window, alert.attempts + 1, said)
        else:
            self._outbox.failed(alert, said)
            logger.warning("hook %s: %s not delivered, it is tried again: %s", hook.id, alert.window, said)


def _pause_us(attempts: int) -> int:
    pause = PAUSES_S[min(attempts, len(PAUSES_S) - 1)]
    return int(pause * random.uniform(1 - JITTER, 1 + JITTER) * 1e6)


def _now_us() -> int:
    return time.time_ns() // 1000
