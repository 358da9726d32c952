"""The first thing that runs: answers the commonest questions at once and hands every other command line to the full command line.

Decides which command lines are common: a closed grammar, parsed by hand, because loading a command-line library takes longer than
the whole answer. What a command line means is the same on both ways: both make the same `Request` and call `cli.app`.

    usage [models | profiles | providers | agents | daily]
          [--period P] [--profile P] [--model M] [--provider P] [--agent A] [--json] [--no-sync]      each at most once, in any order
"""

from cli.ask import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

GROUPINGS = ("models", "profiles", "providers", "agents", "daily")
PERIODS = ("today", "yesterday", "week", "month", "7d", "30d", "all")
_VALUES = {"--period": "period", "--profile": "profile", "--model": "model", "--provider": "provider", "--agent": "agent"}
_FLAGS = {"--json": ("json", True), "--no-sync": ("sync", False)}


def main(argv: "list[str]") -> int:
    """Run a command line (without the program's name) and return its exit code."""
    parse = _COMMANDS.get(argv[0]) if argv else None
    request = parse(argv[1:]) if parse is not None else None
    if request is not None:
        from cli.app import answer  # a command line that is not in the grammar does not need it

        return answer(request)
    from cli.main import run  # a tenth of a second, only for what is not in the grammar

    return run(argv)


def usage(words: "list[str]") -> "Request | None":
    """What the words after `usage` ask for; None where they are not in the grammar."""
    request = Request()
    given: set[str] = set()
    at = 0
    while at < len(words):
        word, equals, value = words[at].partition("=")
        at += 1
        if word in _VALUES:
            if not equals:
                if at == len(words):
                    return None
                value = words[at]
                at += 1
            if not value or value.startswith("-") or (word == "--period" and value not in PERIODS):
                return None
            setattr(request, _VALUES[word], value)
        elif equals:
            return None
        elif word in _FLAGS:
            setattr(request, *_FLAGS[word])
        elif word in GROUPINGS:
            request.what = word
            word = "grouping"
        else:
            return None
        if word in given:
            return None
        given.add(word)
    return request


_COMMANDS: "dict[str, Callable[[list[str]], Request | None]]" = {"usage": usage}
