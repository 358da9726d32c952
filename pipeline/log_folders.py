"""Whether another machine's folders may have come to the log since it was last looked through.

Decides by what that is told. This machine's own commits are in the journal, so only folders count: `machine=` folders come into a `date=`
folder and those into `events/`, and either sets a change time, which nobody can set back. So two microseconds a date tell that nothing
came, and no date is listed. What is told too often (this machine's first segment of a date, a compaction) costs one refresh.

Light commands ask every time, so this imports nothing that the bare interpreter has not loaded already.
"""

from os import listdir, stat

from pipeline.digests import blake2b


def mark(home: str) -> str:
    """A text that is another one once a folder has come to `events/` of the store `home`, or to a date in it, or has gone.

    Take it before looking for other machines' folders (`placement.has_others`): what comes meanwhile makes the next mark another one.
    """
    events = home + "/events"
    try:
        paths = [f"{events}/{name}" for name in listdir(events)]
        changed = [status.st_ctime_ns for status in map(stat, (events, *paths))]
    except OSError:
        return "-"
    return blake2b(repr(changed).encode(), digest_size=8).hexdigest()
