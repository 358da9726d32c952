"""What holds for all tests: neither a busy machine nor the way in which they were started makes one fail."""

import signal

from hypothesis import HealthCheck, settings

# How long an example takes says nothing here: others work on the same machine.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def _passed_over(*_: object) -> None:
    """For a signal that is not for the tests."""


# A signal that is ignored, as under nohup or in a shell's background, is ignored by all programs that are started from here; one that is
# handled is not.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, _passed_over)
