"""Where handlers do what takes longer than the event loop can wait."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

from cli.serve.service import Service

T = TypeVar("T")


async def soon(service: Service, work: Callable[[], T]) -> T:
    """What `work` gives, which takes milliseconds."""
    return await asyncio.get_running_loop().run_in_executor(service.pool, work)


async def after_loading(service: Service, work: Callable[[], T]) -> T:
    """What `work` gives, which takes milliseconds once all that it needs is loaded."""
    return await asyncio.get_running_loop().run_in_executor(service.loading, work)


async def slowly(service: Service, work: Callable[[], T]) -> T:
    """What `work` gives, which may take seconds."""
    return await asyncio.get_running_loop().run_in_executor(service.slow, work)


async def pieces(service: Service, made: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """What the iterator that `made` gives yields, each piece made only when the one before has been taken."""
    found = await slowly(service, made)
    while (piece := await slowly(service, lambda: next(found, None))) is not None:
        yield piece
