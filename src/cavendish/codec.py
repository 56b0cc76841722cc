"""Frozen values <-> JSON, driven by their type hints alone: no second list of names, unknown keys refused.

A dataclass becomes an object of its fields; where the hint is a union of dataclasses, `type` names the member.
A number that is not finite becomes null and comes back as NaN. A field marked `LATER` came after values had been
stored: while it has its default it is left out, so that what was stored before is still read, and hashes stay.
"""

import math
import types
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cavendish.errors import BadInputError, unknown

T = TypeVar("T")
LATER = {"later": True}  # metadata of a dataclass field


def to_json(value: Any) -> Any:
    """Turn a frozen value into plain JSON types."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__, **{name: to_json(part) for name, part in telling(value).items()}}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise BadInputError(f"a {type(value).__name__} cannot be stored as JSON")


def telling(value: Any) -> dict[str, Any]:
    """Return the fields that tell a dataclass from others: all but later ones that have their default."""
    held = [(field, getattr(value, field.name)) for field in fields(value)]
    return {f.name: part for f, part in held if "later" not in f.metadata or part != f.default}


def from_json(kind: type[T], content: Any, where: str = "value") -> T:
    """Turn JSON back into a value of a type; every mismatch is refused with its place."""
    return _read(kind, content, where)  # type: ignore[no-any-return]


def _read(hint: Any, content: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _read(arguments[0], content, where)
    if origin in (Union, types.UnionType):
        return _read_union(arguments, content, where)
    if origin is tuple:
        if not isinstance(content, list):
            raise BadInputError(f"{where}: expected a list, got {type(content).__name__}")
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(content))
    if is_dataclass(hint):
        return _read_dataclass(hint, content, where)
    return _read_plain(hint, content, where)


def _read_plain(hint: Any, content: Any, where: str) -> Any:
    if get_origin(hint) is Literal:
        if content not in get_args(hint):
            raise unknown(where, str(content), map(str, get_args(hint)))
        return content
    if hint is float and content is None:
        return math.nan
    if hint is float and isinstance(content, int) and not isinstance(content, bool):
        return float(content)
    if not isinstance(content, hint) or (hint is int and isinstance(content, bool)):
        raise BadInputError(f"{where} = {content!r}, expected {hint.__name__}")
    return content


def _read_union(members: Iterable[Any], content: Any, where: str) -> Any:
    known = {member.__name__: member for member in members}
    if content is None and "NoneType" in known:
        return None
    name = content.get("type") if isinstance(content, dict) else None
    if not isinstance(name, str) or name not in known:
        raise unknown(f"type of {where}", str(name), known)
    return _read(known[name], content, where)


def _read_dataclass(kind: Any, content: Any, where: str) -> Any:
    if not isinstance(content, dict):
        raise BadInputError(f"{where}: expected an object, got {type(content).__name__}")
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]
    later = [field.name for field in fields(kind) if "later" in field.metadata]
    given = {key: value for key, value in content.items() if key != "type"}
    for key in given:
        if key not in names:
            raise unknown(f"field of {where}", key, names)
    for name in names:
        if name not in given and name not in later:
            raise BadInputError(f"{where}: field '{name}' is missing")
    return kind(**{key: _read(hints[key], value, f"{where}.{key}") for key, value in given.items()})
