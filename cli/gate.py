"""The first thing that runs: answers the commonest questions at once and hands every other command line to the full command line.

Decides which command lines are common: a closed grammar, parsed by hand, because loading a command-line library takes longer than
the whole answer. What a command line means is the same on both ways: both make the same `Request` and call `cli.app`.

    usage [models | profiles | providers | agents | daily]
          [--period P] [--profile P] [--model M] [--provider P] [--agent A] [--json] [--no-sync]      each at most once, in any order
    guard [--profile P] [--period P] [--limit USD]                                                    the same
    statusline [--profile P]
"""

from cli.ask import Request

GROUPINGS = ("models", "profiles", "providers", "agents", "daily")
PERIODS = ("today", "yesterday", "week", "month", "7d", "30d", "all")
_VALUES = {"--period": "period", "--profile": "profile", "--model": "model", "--provider": "provider", "--agent": "agent"}
GUARD = {"--profile": "profile", "--period": "period", "--limit": "limit"}
STATUSLINE = {"--profile": "profile"}
_FLAGS = {"--json": ("json", True), "--no-sync": ("sync", False)}


def main(argv: "list[str]") -> int:
    """Run a command line (without the program's name) and return its exit code."""
    code = _answered(argv[0], argv[1:]) if argv else None
    if code is not None:
        return code
    from cli.main import run  # a tenth of a second, only for what is not in the grammar

    return run(argv)


def _answered(command: str, words: "list[str]") -> "int | None":
    """Answer a command line of the grammar and return the exit code; None for any other, which needs none of these modules."""
    if command == "usage":
        request = usage(words)
        if request is not None:
            from cli import app

            return app.answer(request)
    elif command == "guard":
        values = options(words, GUARD)
        if values is not None:
            from cli import guard

            return guard.answer(guard.Wanted(**values))
    elif command == "statusline":
        values = options(words, STATUSLINE)
        if values is not None:
            from cli import statusline

            return statusline.answer(**values)
    return None


def options(words: "list[str]", names: "dict[str, str]") -> "dict[str, str] | None":
    """The values of options that each take one; None where the words are anything else than some of these, each at most once."""
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not equals:
            value = next(rest, "")
        if name not in names or names[name] in found or not value or value.startswith("-"):
            return None
        found[names[name]] = value
    return found


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
