"""The errors that ringlet's own callers act on.

Decides how an error says what happened, where, and what mends it. Exit codes and HTTP statuses are the command line's business.
"""


class RingletError(Exception):
    """Something a person can act on: `what` happened, `where`, and the command or change that mends it (`mend`)."""

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        self.what = what
        self.where = where
        self.mend = mend
        message = f"{where}: {what}" if where else what
        super().__init__(f"{message}; {mend}" if mend else message)


class UnknownName(RingletError):
    """A name that does not exist (profile, period, format …); the message lists the valid ones, `valid` has them all."""

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None, valid: "tuple[str, ...]" = ()) -> None:
        super().__init__(what, where=where, mend=mend)
        self.valid = valid


class BadName(RingletError):
    """A name that nothing can be given; the message says what a name can be."""


class NothingFound(RingletError):
    """Something that was named is not there, or nothing was found where it points."""


class Held(RingletError):
    """Another process holds the lock; `pid` is its process id where known."""

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None, pid: int | None = None) -> None:
        super().__init__(what, where=where, mend=mend)
        self.pid = pid


class PartlyDone(RingletError):
    """The work stopped part-way (disk full, unreadable files); what is done is kept and the rest can be resumed."""


class Damaged(RingletError):
    """A stored file is not what was written; `mend` names the repair."""
