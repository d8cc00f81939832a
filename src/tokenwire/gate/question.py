"""A question as it arrives at the gate: who asks, and what."""

from typing import Self

import msgspec

from ..messages import Message
from ..runs.log import RunInfo
from ..wire.request import Options


class Question(msgspec.Struct, frozen=True):
    """What a request asks for, before the policy has had its say."""

    run: RunInfo
    """The run that will answer it."""
    messages: tuple[Message, ...]
    options: Options

    def replace(self, *, messages: tuple[Message, ...] | None = None, options: Options | None = None) -> Self:
        """The same question in other words, or with other wishes."""
        return msgspec.structs.replace(
            self,
            messages=self.messages if messages is None else messages,
            options=self.options if options is None else options,
        )
