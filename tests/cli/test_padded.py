"""Plain tables line up."""

from cli.padded import padded


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Numbers flush right, words flush left, wide characters counted as the two columns that they take, no blanks at the end."""
    rows = [("NAME", "FILES", "LAST"), ("工作", "1,234", "never"), ("x", "7", "")]

    assert padded(rows, right={1}).split("\n") == [
        "NAME  FILES  LAST",
        "工作  1,234  never",
        "x         7",
    ]
