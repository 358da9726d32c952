"""The names in Claude Code's transcripts, without what else their lines say: the adapter's fold, made fast for `ingest.named`.

Decides nothing of its own. A reply that has an id, and nothing in it that is billed apart, is known by that id whatever else its line says;
any other line goes to the adapter itself. A test holds that no name is missed.
"""

from typing import Any

from ingest.adapter import Adapter
from ingest.adapters.claude import DECODER
from ingest.adapters.claude_call import File
from ingest.lines import Lines
from ingest.reader import Fold, Tally
from pipeline import keys


def into(names: set[bytes]) -> Fold:
    """A fold that adds the names of replies to `names` and tallies only what goes to the adapter."""

    def fold(adapter: Adapter[Any], state: Any, lines: Lines, tally: Tally) -> Any:
        parse, step = DECODER.decode, adapter.step
        is_plain = isinstance(state, File) and not state.flat
        ids: set[str] = set()
        for offset, length, record in lines:
            if is_plain:
                try:
                    message = parse(record).message
                    if message is not None and message.id and message.usage is not None and not message.usage.iterations:
                        ids.add(message.id)
                        continue
                except (ValueError, RecursionError, OverflowError):
                    pass
            state, events = step(state, record)
            tally.record(events, offset, length, record)
        names.update(keys.reply(each, None) for each in ids)
        return state

    return fold
