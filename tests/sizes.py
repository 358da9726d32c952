"""How much the fault and property suites do: the sizes of every run, multiplied by RINGLET_FAULT_SCALE for a long night."""

import os


def times(every_run: int) -> int:
    """`every_run`, or as many times more as RINGLET_FAULT_SCALE says."""
    return every_run * int(os.environ.get("RINGLET_FAULT_SCALE", "1"))
