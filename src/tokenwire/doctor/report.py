"""Findings as people and programs read them."""

from collections.abc import Sequence

import msgspec

from .finding import Finding

_MARGIN = " " * 11


def as_text(findings: Sequence[Finding]) -> str:
    """One paragraph for each, and a last line that counts what should be done."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.level:<9}  {finding.check}: {_plain(finding.seen)}")
        if finding.why:
            lines.append(f"{_MARGIN}why: {finding.why}")
        margins = [f"{_MARGIN}do:  ", *[f"{_MARGIN}     "] * len(finding.todo)]
        lines += [margin + _plain(line) for margin, line in zip(margins, finding.todo, strict=False)]
    matter = sum(finding.matters for finding in findings)
    lines += ["", f"{matter} of {len(findings)} findings should be acted on" if matter else "nothing has to be done"]
    return "\n".join(lines) + "\n"


def as_json(findings: Sequence[Finding]) -> str:
    """A list of objects."""
    return msgspec.json.format(msgspec.json.encode(findings), indent=2).decode() + "\n"


def exit_code(findings: Sequence[Finding]) -> int:
    """1 where something should be done."""
    return int(any(finding.matters for finding in findings))


def _plain(text: str) -> str:
    """What a server sent must not move the cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)
