"""Text that comes from file names, logs or errors, made safe to show.

Decides what of it is shown as it is, and how a path is shortened. Tables of usage replace such letters by a sign of one column; this keeps
what they were.
"""


def escaped(text: str) -> str:
    """`text` with every letter that a terminal would act on, break the line at or be unable to show as `\\x1b` and the like."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def path_shown(path: str, home: str) -> str:
    """`path` safe to show, with `~` for the user's own `home`."""
    return escaped("~" + path[len(home) :] if path.startswith(home + "/") else path)
