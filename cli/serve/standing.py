"""The store at one moment, as answers see it: settings, what is held of the log, titles, gaps.

Decides what is looked up once per state of the log instead of at each question. Never changes; when the log has grown there is another.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cli.lost import remembered
from cli.refresh import Store
from pipeline.questions import Position
from views.lost import Gaps
from views.snapshot import stamp

if TYPE_CHECKING:
    from views.holding import Holding

Sessions = Callable[[], list[Any]]
"""Asks the log for what it knows of sessions, from any thread."""


class Standing:
    """What the store says and how it counts."""

    def __init__(
        self,
        store: Store,
        holding: "Holding",
        number: int,
        sessions: Sessions,
        settings: Mapping[str, str],
        quarantined: int,
        gaps: Gaps | None,
    ) -> None:
        self.store = store
        """Only for its settings, rules, prices and adapters: its log belongs to another thread."""
        self.holding = holding
        self.number = number
        """Another for every state that answers differently."""
        self.settings = settings
        """`stamp` by file that decides how calls are counted."""
        self.quarantined = quarantined
        """Records that claim usage and cannot be believed."""
        self.gaps = gaps
        self._sessions = sessions
        self._names: dict[str, list[str]] = {}

    @classmethod
    def of(cls, store: Store, number: int, sessions: Sessions, make: Callable[[], None] | None = None) -> "Standing":
        """The store as it stands; views that are old are made by `make`. For the thread that its log belongs to, after `refreshed`."""
        from cli.deep import terms_of
        from views.holding import loaded

        holding = loaded(store.paths.views, store.log, terms_of(store), make)
        return cls(store, holding, number, sessions, dict(store.snapshot.header.stamps), *_told(store))

    def followed(self, store: Store, make: Callable[[], None] | None = None) -> "Standing":
        """The store as it stands now, under the same settings, as `of` makes it; itself where nothing has changed. For the log's thread."""
        from cli.deep import terms_of
        from views.holding import followed

        holding = followed(self.holding, store.paths.views, store.log, terms_of(store), make)
        quarantined, gaps = _told(store)
        if holding is self.holding and quarantined == self.quarantined:
            return self
        return Standing(store, holding, self.number + 1, self._sessions, self.settings, quarantined, gaps)

    def settings_changed(self) -> bool:
        """Whether calls are to be counted in another way."""
        return any(stamp(path) != value for path, value in self.settings.items())

    @property
    def mode(self) -> str:
        """The cost mode that holds where a question names none."""
        return self.store.config.usage.cost_mode

    @property
    def position(self) -> Position:
        """How far the log had come."""
        return self.holding.position

    def holds(self, zone: str | None, mode: str | None) -> bool:
        """Whether questions about the days of a zone at the costs of a mode (None: the usual ones) can be answered without loading them."""
        return self.holding.is_held(zone or self.store.zone, mode or self.mode)

    def names(self, field: str) -> list[str]:
        """The names of a field (`profile`, `agent`, `provider`, `model`, `project`) that occur in any call, a to z."""
        if field not in self._names:
            self._names[field] = sorted(self.holding.table(self.store.zone, self.mode).named(field))
        return self._names[field]

    def titles(self) -> Mapping[tuple[str, str], str]:
        """Titles of sessions by (agent, session)."""
        return self._titles

    @cached_property
    def _titles(self) -> Mapping[tuple[str, str], str]:
        return {(each.agent, each.session): each.title for each in self._sessions() if each.title}


def _told(store: Store) -> tuple[int, Gaps | None]:
    return len(store.log.quarantine()), remembered(store)
