"""Lost history beside an answer: days on which an agent remembers more than any known call explains.

Decides which of them an answer must mention, and how they are kept in the small file `views/lost`. They are never part of a sum. What is
lost is found out by whoever can compare an agent's statistics with the log. Imports no library: short answers mention it too.
"""

from views.query import Query

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "lost"
_FIRST_LINE = "ringlet lost 1"


class Gaps:
    """Lost tokens by local day, and what they were worked out from: position of the log, stamp of the agent's statistics."""

    __slots__ = ("epoch", "seq", "stamp", "tokens")

    def __init__(self, epoch: str, seq: int, stamp: str, tokens: "Mapping[int, int]") -> None:
        self.epoch = epoch
        self.seq = seq
        self.stamp = stamp
        self.tokens = tokens


def read(views: str) -> "Gaps | None":
    """What the folder `views` says is lost; None where nobody has looked yet."""
    try:
        # Opened as bytes: a codec is a module to load.
        with open(f"{views}/{NAME}", "rb") as file:
            first, about, *lines = file.read().decode("ascii").split("\n")
        epoch, seq, stamp = about.split("\t")
        gaps = Gaps(epoch, int(seq), stamp, {int(day): int(tokens) for day, _, tokens in (line.partition("\t") for line in lines if line)})
    except (OSError, ValueError):
        return None
    return gaps if first == _FIRST_LINE else None


def text(gaps: Gaps) -> bytes:
    """The file that `read` reads."""
    lines = [_FIRST_LINE, f"{gaps.epoch}\t{gaps.seq}\t{gaps.stamp}", *(f"{day}\t{tokens}" for day, tokens in sorted(gaps.tokens.items()))]
    return ("\n".join(lines) + "\n").encode("ascii")


def within(gaps: Gaps, query: Query) -> "tuple[int, int, int] | None":
    """(tokens, first day, last day) of what is lost in a query's range; None where nothing is.

    A filter asks for less than a day, and nobody knows which part of a day is lost: then nothing is said.
    """
    if query.filters() or query.since_us is not None:
        return None
    first, last = query.first_day, query.last_day
    days = [day for day in gaps.tokens if (first is None or first <= day) and (last is None or day <= last)]
    return (sum(gaps.tokens[day] for day in days), min(days), max(days)) if days else None
