"""Plain tables: short lists of names and words, each column as wide as its widest cell.

Decides padding alone. Tables of usage, with bars, shares and narrow terminals, belong to `cli.render`.
"""

from collections.abc import Collection, Sequence

from cli.render import columns_of


def padded(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """The rows as lines, the columns of the numbers in `right` flush right, two spaces between columns and none at the end of a line.

    All rows have as many cells as the first; a cell holds no newline.
    """
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            room = " " * (width - columns_of(cell))
            cells.append(room + cell if number in right else cell + room)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
