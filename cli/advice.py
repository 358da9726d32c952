"""What to tell someone who sees nothing: which situation it is and what to type.

Decides the situations and their words.
"""

from collections.abc import Sequence

from cli.escaped import escaped, path_shown
from cli.figures import many
from cli.refresh import Store
from ingest.discover import Trouble, homes

_SHOWN = 5


def nothing_recorded(store: Store) -> str:
    """Several lines for a store without any call: no logs found, logs without usage, or logs that could not be believed."""
    found: dict[str, int] = {}
    for each in store.look.found:
        found[each.source.agent] = found.get(each.source.agent, 0) + 1
    titles = {adapter.agent: adapter.title for adapter in store.adapters}
    if not found and store.look.troubles:
        return "No usage is recorded: where logs would be, something could not be read.\n" + unread(store.look.troubles)
    if not found:
        lines = ["No usage is recorded, and no logs of an agent were found. Looked for:"]
        for adapter in store.adapters:
            places = homes(adapter, store.environ, store.home, store.homes.get(adapter.agent, ()))
            lines += [f"  {adapter.title}: {path_shown(place.path, store.home)}" for place in places]
        lines.append("Logs elsewhere:  ringlet import claude --from PATH")
        lines.append("No agent here:   ringlet demo")
        return "\n".join(lines) + "\n"
    counts = ", ".join(f"{number} of {titles.get(agent, agent)}" for agent, number in sorted(found.items()))
    lines = [f"No usage is recorded. Log files were found ({counts}), but none of them holds a model call yet."]
    quarantined = len(store.log.quarantine())
    if quarantined:
        lines.append(f"{many(quarantined, 'record')} in quarantine, not counted:  ringlet doctor")
    elif not any(source.cursor for source in store.log.sources()):
        lines.append("They have not been read yet:  ringlet usage")
    else:
        lines.append("What was read, file by file:  ringlet doctor")
    return "\n".join(lines) + "\n"


def unread(troubles: Sequence[Trouble]) -> str:
    """One line for each of the first few things that are not in an answer because they could not be read, and one for the rest."""
    lines = [f"ringlet: not read: {escaped(trouble.path)}: {trouble.reason}\n" for trouble in troubles[:_SHOWN]]
    if len(troubles) > _SHOWN:
        lines.append(f"ringlet: and {len(troubles) - _SHOWN:,} more that could not be read: ringlet doctor\n")
    return "".join(lines)
