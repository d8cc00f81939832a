"""The tool calls of a streamed chat completion, put together from fragments.

A fragment says which call it is of by the call's ``id``, by its ``index``, or not at all, and upstreams get all of it
wrong: an index that is missing, always 0 or never seen before, an id that is empty, late or in every fragment, a name
that is repeated, late or in pieces. A fragment is of the call of its id, else of its index, else of the last one.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ..narration import Narration


class Function(msgspec.Struct, gc=False):
    """What is called, or a piece of it."""

    name: str | None = None
    arguments: Any = None
    """Text; a few upstreams send the object itself."""


class Fragment(msgspec.Struct, gc=False):
    """A piece of a call."""

    index: Any = None
    id: Any = None
    function: Function | None = None


class ToolCalls:
    """The calls of one answer. Each is told once its name is known for certain: when its arguments begin.

    What never gets a name is no call, and is not told. The calls are open until the answer ends.
    """

    def __init__(self, message_id: str, narration: Narration) -> None:
        self._message_id = message_id
        self._narration = narration
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._last: _Call | None = None
        self._told: set[str] = set()

    def __bool__(self) -> bool:
        """Whether any was told."""
        return bool(self._told)

    def read(self, fragments: Sequence[Fragment]) -> None:
        """More of them, from one chunk."""
        for position, fragment in enumerate(fragments):
            index = fragment.index if type(fragment.index) is int else None
            if index is None and len(fragments) > 1:
                index = position
            call_id = fragment.id if isinstance(fragment.id, str) else ""
            function = fragment.function or Function()
            self._read(index, call_id, function.name or "", _text(function.arguments))

    def finish(self) -> None:
        """All has come. Arguments that never did are an empty object."""
        self._settle()
        for call in self._calls:
            if call.told_id and not call.has_arguments:
                self._narration.arguments(call.told_id, "{}")

    def _read(self, index: int | None, call_id: str, name: str, arguments: str) -> None:
        call = self._find(index, call_id, name) or self._open(index)
        if call_id and not call.upstream_id:
            call.upstream_id = call_id
            self._by_id[call_id] = call
        call.read_name(name)
        call.read_arguments(arguments)
        if call.name and (call.held or call is not self._last):
            self._tell(call)

    def _find(self, index: int | None, call_id: str, name: str) -> "_Call | None":
        """The call that a fragment is more of; None where it begins another."""
        at_index = None if index is None else self._by_index.get(index)
        last = self._last
        if call_id and (known := self._by_id.get(call_id)):
            another = name and index is not None and known.index is not None and index != known.index
            return None if another else known
        if call_id:
            late = last if index is None else at_index
            return late if late is not None and late.takes_id(name) else None
        if at_index is not None:
            return at_index if at_index.takes(name, in_pieces=True) else None
        if last is None or (index is not None and (name or last.closed)):
            return None
        return last if last.takes(name, in_pieces=False) else None

    def _settle(self) -> None:
        """The last call's name is complete."""
        if self._last is not None and self._last.name:
            self._tell(self._last)

    def _open(self, index: int | None) -> "_Call":
        self._settle()
        call = self._last = _Call(index)
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call

    def _tell(self, call: "_Call") -> None:
        if not call.told_id:
            call.told_id = self._free_id(call.upstream_id)
            self._told.add(call.told_id)
            self._narration.begin_call(call.told_id, call.name)
        for arguments in call.held:
            self._narration.arguments(call.told_id, arguments)
        call.held.clear()

    def _free_id(self, wanted: str) -> str:
        number = len(self._told)
        while not wanted or wanted in self._told:
            number += 1
            wanted = f"{self._message_id}-call-{number}"
        return wanted


class _Call:
    """One call, as far as it was read."""

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.upstream_id = ""
        self.told_id = ""
        """Empty until it was told; not the upstream's where that is missing, late or another call's too."""
        self.name = ""
        self.held: list[str] = []
        """Arguments not told yet."""
        self.has_arguments = False
        self._unscanned: list[str] = []
        self._nesting = _Nesting()

    @property
    def closed(self) -> bool:
        """Whether the arguments are a whole object."""
        for arguments in self._unscanned:
            self._nesting.scan(arguments)
        self._unscanned.clear()
        return self._nesting.closed

    def takes(self, name: str, *, in_pieces: bool) -> bool:
        """Whether a fragment of that name, or of none, can be more of it."""
        if not name or not self.name:
            return True
        if in_pieces and not self.has_arguments:
            return True
        return name == self.name and not self.closed

    def takes_id(self, name: str) -> bool:
        """Whether an id that comes with that name, or with none, can be its own."""
        return not self.upstream_id and self.takes(name, in_pieces=False)

    def read_name(self, name: str) -> None:
        """A name, all of it or its next piece."""
        if not self.told_id:
            self.name = name if name.startswith(self.name) else self.name + name

    def read_arguments(self, arguments: str) -> None:
        """The next piece of the arguments."""
        if arguments:
            self.has_arguments = True
            self.held.append(arguments)
            self._unscanned.append(arguments)


class _Nesting:
    """How deep in objects and arrays a JSON text is, piece by piece."""

    def __init__(self) -> None:
        self._begun = False
        self._depth = 0
        self._quoted = False
        self._escaped = False

    @property
    def closed(self) -> bool:
        """Whether all that was opened is closed."""
        return self._begun and not self._depth

    def scan(self, text: str) -> None:
        """The next piece."""
        for character in text:
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._escaped = character == "\\"
                self._quoted = character != '"'
            elif character == '"':
                self._quoted = True
            elif character in "{[":
                self._begun = True
                self._depth += 1
            elif character in "}]":
                self._depth -= 1


def _text(arguments: Any) -> str:
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else msgspec.json.encode(arguments).decode()
