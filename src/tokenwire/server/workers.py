"""Several processes on one listening socket, and the one that keeps them running."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from .listener import pass_on

logger = logging.getLogger("tokenwire.server")

_RESPAWN_SECONDS = 1.0
_READY = b"r"


def supervise(
    command: Sequence[str],
    listener: socket.socket,
    count: int,
    *,
    on_ready: Callable[[], None],
    shared: bool = False,
) -> int:
    """Keeps ``count`` workers running until a signal to stop, and returns the exit code.

    SIGTERM and SIGINT are handed on, SIGHUP replaces the workers one after the other. A worker that dies is replaced.
    Where the first ones cannot even start, all end.

    :param command: a worker's, to which ``--fd`` and ``--lifeline`` are added.
    :param on_ready: called once, when every worker serves.
    :param shared: others may listen at the same address, each on a socket of its own.
    """
    return asyncio.run(_Supervisor(command, listener, count, on_ready, shared).run())


class Lifeline:
    """A worker's end of the line to its supervisor: tells that it serves, and learns of the supervisor's death."""

    def __init__(self, descriptor: int) -> None:
        self._line = socket.socket(fileno=descriptor)
        self._line.setblocking(False)

    def hold(self) -> None:
        """Tells the supervisor that this worker serves; when there is none any more, the worker stops."""
        self._line.send(_READY)
        asyncio.get_running_loop().add_reader(self._line, self._lost)

    def _lost(self) -> None:
        asyncio.get_running_loop().remove_reader(self._line)
        os.kill(os.getpid(), signal.SIGTERM)


class _Supervisor:
    def __init__(
        self, command: Sequence[str], listener: socket.socket, count: int, on_ready: Callable[[], None], shared: bool
    ) -> None:
        self._command = command
        self._listener = listener
        self._count = count
        self._on_ready = on_ready
        self._shared = shared
        self._stop: signal.Signals | None = None
        self._code = 0
        self._workers: set[_Worker] = set()
        self._serving = False
        self._replacing: asyncio.Task[None] | None = None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._told_to_replace)
        async with asyncio.TaskGroup() as group:
            self._group = group
            first = [group.create_task(self._start()) for _ in range(self._count)]
            group.create_task(self._announce(first))
        return self._code

    async def _announce(self, first: "Sequence[asyncio.Task[_Worker | None]]") -> None:
        if all(await asyncio.gather(*first)):
            self._serving = True
            self._on_ready()

    async def _start(self, *, again: bool = True) -> "_Worker | None":
        """A worker that serves; ``None`` if it ended before it did.

        :param again: whether another one is started if it ends before it serves.
        """
        if self._stop is not None:
            return None
        worker = await _Worker.spawn(self._command, self._listener)
        self._workers.add(worker)
        if self._stop is not None:
            worker.signal(self._stop)
        await worker.started()
        self._group.create_task(self._watch(worker, again))
        return worker if worker.ready else None

    async def _watch(self, worker: "_Worker", again: bool) -> None:
        code = await worker.process.wait()
        worker.forget()
        self._workers.discard(worker)
        if self._stop is not None or worker.leaving:
            return
        if not (worker.ready or self._serving):
            self._code = code or 1
            self._told_to_stop(signal.SIGTERM)
        elif worker.ready or again:
            logger.error("worker %d ended with %d and is replaced", worker.process.pid, code)
            await asyncio.sleep(_RESPAWN_SECONDS)
            await self._start()
        else:
            logger.error("worker %d did not start: the old ones stay", worker.process.pid)

    def _told_to_stop(self, number: signal.Signals) -> None:
        if self._stop is None:
            if self._shared:
                pass_on(self._listener)
            self._listener.close()  # before the workers take what waits there: nothing may come after that
        self._stop = number
        for worker in self._workers:
            worker.signal(number)

    def _told_to_replace(self) -> None:
        if self._stop is None and (self._replacing is None or self._replacing.done()):
            self._replacing = self._group.create_task(self._replace())

    async def _replace(self) -> None:
        for worker in tuple(self._workers):
            successor = await self._start(again=False)
            if successor is None:
                return
            worker.leave()
            await worker.process.wait()
        logger.warning("all workers were replaced")


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket) -> None:
        self.process = process
        self.ready = False
        self.leaving = False
        self._line = line

    @classmethod
    async def spawn(cls, command: Sequence[str], listener: socket.socket) -> "_Worker":
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            descriptors = (listener.fileno(), theirs.fileno())
            process = await asyncio.create_subprocess_exec(
                *command, "--fd", str(descriptors[0]), "--lifeline", str(descriptors[1]), pass_fds=descriptors
            )
        return cls(process, ours)

    async def started(self) -> None:
        """Returns when it serves, or has ended."""
        with suppress(OSError):
            self.ready = await asyncio.get_running_loop().sock_recv(self._line, 1) == _READY

    def forget(self) -> None:
        """It has ended."""
        self._line.close()

    def leave(self) -> None:
        """Stops it for good, when its answers are finished."""
        self.leaving = True
        self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
