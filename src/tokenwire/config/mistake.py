"""What is wrong with a table, in the words of TOML, and what would be right."""

import difflib
import re

from msgspec import inspect

_WORDS = {"object": "table", "str": "string", "int": "integer", "float": "number", "bool": "boolean", "array": "array"}


def explain(problem: str, kind: type, within: str) -> str:
    """What msgspec says of a value, for whoever wrote it.

    :param kind: of the table that was read.
    :param within: the place in it, such as ``.targets[0].timeouts``.
    """
    of = _type_at(kind, within)
    unknown = re.fullmatch(r"Object contains (unknown field `(.*)`)", problem)
    if unknown and isinstance(of, inspect.StructType):
        near = difflib.get_close_matches(unknown[2], [field.name for field in of.fields], 1)
        return f"{unknown[1]}: do you mean `{near[0]}`?" if near else unknown[1]
    choice = re.fullmatch(r"Invalid enum value (.*)", problem)
    if choice and isinstance(of, inspect.LiteralType):
        return f"{choice[1]} is not one of {', '.join(map(str, of.values))}"
    plain = problem.replace("Object missing required", "missing").replace(" | null`", "`")
    return re.sub(r"`(\w+)`", lambda match: _WORDS.get(match[1], match[0]), plain)


def _type_at(kind: type, within: str) -> inspect.Type:
    at = _required(inspect.type_info(kind))
    for name, _ in re.findall(r"\.(\w+)|(\[)", within):
        match at:
            case inspect.StructType(fields=fields):
                at = next((field.type for field in fields if field.name == name), at)
            case inspect.VarTupleType(item_type=item):
                at = item
            case inspect.DictType(value_type=value):
                at = value
        at = _required(at)
    return at


def _required(of: inspect.Type) -> inspect.Type:
    """The type that a value has where there is one."""
    if isinstance(of, inspect.UnionType):
        return next(one for one in of.types if not isinstance(one, inspect.NoneType))
    return of
