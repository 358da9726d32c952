"""Importing on request: all that Claude Code has logged in the homes that are configured here.

Decides which folders may be read at the web's bidding. What is read and kept is `ingest`'s business; much is read by a process of its own,
so that answers do not wait.
"""

import asyncio
import os
from collections.abc import Callable, Sequence

import msgspec

from cli.ask import unknown
from cli.progress import Told, seldom
from cli.refresh import Store, opened
from cli.serve import child
from cli.serve.contract import inventory, questions
from cli.serve.handlers import whole
from cli.serve.service import Service
from ingest import registry
from ingest.bulk import PARALLEL_BYTES
from ingest.discover import Look, Trouble, homes, under
from ingest.reader import Manner, said
from ingest.run import ingest
from pipeline.errors import Held, NothingFound, RingletError
from pipeline.sources import Counts

_AGENT = "claude"
_EVERY_S = 0.3


async def import_claude(service: Service, params: questions.ImportParams) -> inventory.Imported:
    """Read what there is. Raises UnknownName for a folder that is no configured home, NothingFound where there is nothing to read, Held
    while another import is running.
    """
    if service.importing:
        raise Held("an import is running already", mend="wait for its end")
    service.importing += 1
    try:
        done = await asyncio.get_running_loop().run_in_executor(service.slow, _import, service, params.claude_dir)
    finally:
        service.importing -= 1
    # Only now is this import no longer one that runs.
    return msgspec.structs.replace(done, complete=service.complete and not (done.stopped or done.troubles))


def _import(service: Service, asked: str | None) -> inventory.Imported:
    with opened(service.paths, service.environ, service.now_us()) as store:
        adapter = registry.adapter(_AGENT)
        roots = [each.path for each in homes(adapter, store.environ, store.home, store.homes.get(_AGENT, ()))]
        chosen = roots if asked is None else [_root(asked, roots, store.home)]
        look = Look()
        for root in chosen:
            look.found.extend(under(adapter, root, look.troubles))
        if not look.found:
            looked = ", ".join(said(root) for root in chosen)
            raise NothingFound(
                f"no logs of {adapter.title}; looked in {looked}", mend="ringlet import claude --from PATH reads another folder"
            )
        before = _counted(store, look)
        told = _teller(service.on_import)
        troubles = _said(look.troubles)
        if sum(found.size for found in look.found) - before.bytes > PARALLEL_BYTES:
            stopped = _by_child(service, chosen if asked is not None else [], told)
        else:
            manner = Manner(
                now_ns=service.now_us() * 1000, take_tail=True, titles=store.config.session_titles, stop=service.stopping.is_set
            )
            summary = ingest(store.log, [adapter], look, manner, progress=told, workers=1)
            troubles, stopped = _said(summary.troubles), summary.stopped
        after = _counted(store, look)
        of_itself = {**whole.by_store(service, store), "quarantined": after.quarantined}
    service.refresh()
    if service.on_import is not None:
        service.on_import(inventory.ImportProgress(bytes_done=after.bytes, bytes_total=after.bytes, ended=True))
    return inventory.Imported(
        **of_itself,
        homes=tuple(said(root) for root in chosen),
        files=len(look.found),
        records=after.events,
        new=after.new - before.new,
        updated=after.updated - before.updated,
        profiles=tuple(sorted({store.rules.profile_of(_AGENT, root, None) for root in chosen})),
        troubles=tuple(troubles),
        stopped=stopped,
    )


def _root(asked: str, roots: Sequence[str], home: str) -> str:
    """The configured home that `asked` leads to. Nothing else on the disk is looked at, and nothing is said of it."""
    wanted = os.path.realpath(home + asked[1:] if asked == "~" or asked.startswith("~/") else asked)
    for root in roots:
        if os.path.realpath(root) == wanted:
            return root
    raise unknown("configured home of Claude Code", asked, [said(root) for root in roots])


def _said(troubles: Sequence[Trouble]) -> list[str]:
    return [f"{said(each.path)}: {each.reason}" for each in troubles]


def _counted(store: Store, look: Look) -> Counts:
    """What has become of the records of these files so far, added up."""
    paths = {found.source.path for found in look.found}
    counts = [each.counts for each in store.log.sources() if each.source.path in paths]
    return Counts(**{name: sum(getattr(each, name) for each in counts) for name in Counts.__struct_fields__})


def _by_child(service: Service, roots: Sequence[str], told: Told) -> bool:
    """Have another process import; whether it was stopped."""
    for argv in [["--from", root] for root in roots] or [[]]:
        code, complaint = child.run(["import", _AGENT, *argv], service.environ, service.stopping, told=told)
        if service.stopping.is_set():
            return True
        if code:
            raise RingletError(f"the import ended with {code}: {complaint.strip()[-300:]}", mend="ringlet import claude says more")
    return False


def _teller(on_import: Callable[[inventory.ImportProgress], None] | None) -> Told:
    def told(done: int, total: int) -> None:
        if on_import is not None:
            on_import(inventory.ImportProgress(bytes_done=done, bytes_total=total, ended=False))

    return seldom(told, _EVERY_S)
