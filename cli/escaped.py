"""Text that comes from file names, logs or errors, made safe to show.

Decides what of it is shown as it is. Tables of usage replace such letters by a sign of one column; this keeps what they were.
"""


def escaped(text: str) -> str:
    """`text` with every letter that a terminal would act on, break the line at or be unable to show as `\\x1b` and the like."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
