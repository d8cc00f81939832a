"""A text that may hold what somebody asked or was answered."""

HIDDEN = "[content]"


class Content:
    """As an argument of a log record it is shown only where the log is to have content.

    Everywhere else, and to every other handler, it is ``[content]``.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return HIDDEN

    __repr__ = __str__
