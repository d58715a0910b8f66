"""Whether one value of a config may stand for another, at every depth of both.

A number that became a text, such as a learning rate of ``"1e-3"``, fails only when it is used, and
a ``"false"`` that stands for a truth value counts as true without a word. Where a value takes the
place of another, the two are therefore compared, key by key and entry by entry.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

_TRUTH_WORDS = frozenset({"true", "false", "yes", "no", "on", "off"})


class Mismatch(NamedTuple):
    """A place at which a value is of another kind than the one it replaces.

    Attributes:
        path: Dotted path, from where the comparison began; entries of lists go by their number.
        old: The value that is replaced.
        new: The value that cannot stand for it.
    """

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"expected {_kind(self.old)}, as in {self.old!r}, found {self.new!r}"


def first_mismatch(old: Any, new: Any, path: str) -> Mismatch | None:
    """The first place at which a new value cannot stand for an old one; None if it can.

    None may stand for anything, and anything for None. A setting that is replaced by itself has to
    stay a single value of its kind, and an integer where it is one. Within a mapping or list that
    is replaced, any number may stand for a number, because configs write 35 for what may be 0.5, a
    list for one of its entries, and a text for a truth value, unless it is a word for one. Where a
    mapping names another class by its ``type``, a setting of the same name may be of another kind;
    only a text for a number is refused there, and a word for a truth value.

    Args:
        old: The value that is replaced: mappings, lists and tuples of plain values.
        new: The value that replaces it.
        path: Dotted path of both, for the answer.
    """
    is_integer = isinstance(old, int) and not isinstance(old, bool)
    is_single = isinstance(old, bool | int | float | str)
    if is_integer and isinstance(new, float):
        return Mismatch(path, old, new)
    if is_single and new is not None and _kind(old, exact=False) != _kind(new, exact=False):
        return Mismatch(path, old, new)
    return next(_mismatches(old, new, path, same_class=True), None)


def _mismatches(old: Any, new: Any, path: str, same_class: bool) -> Iterator[Mismatch]:
    if old is None or new is None:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        same_class = old.get("type") == new.get("type", old.get("type"))
        for key in new:
            if key in old and key != "type":
                yield from _mismatches(old[key], new[key], f"{path}.{key}", same_class)
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        for index, entry in enumerate(new):
            counterpart = _counterpart(old, index, entry)
            yield from _mismatches(counterpart, entry, f"{path}.{index}", same_class)
    elif isinstance(new, list | tuple):
        for index, entry in enumerate(new):  # a setting that takes a list of what it takes
            if not isinstance(entry, dict):
                yield from _mismatches(old, entry, f"{path}.{index}", same_class)
    elif isinstance(old, list | tuple):
        if old and not isinstance(new, dict):
            yield from _mismatches(_counterpart(old, 0, new), new, path, same_class)
    elif not _may_replace(old, new, same_class):
        yield Mismatch(path, old, new)


def _counterpart(old: Any, index: int, entry: Any) -> Any:
    """The entry of an old list that an entry of a new one is compared with; None if there is none.

    A mapping is compared with one of the same ``type``, at the same place if there are several.
    Other values are compared with any entry, if all are of one kind: lists grow and shrink.
    """
    at_place = old[index] if index < len(old) else None
    if isinstance(entry, dict):
        of_type = [o for o in old if isinstance(o, dict) and o.get("type") == entry.get("type")]
        return at_place if at_place in of_type or not of_type else of_type[0]
    plain = list(_plain_values(old))
    return plain[0] if plain and len({_kind(value, exact=False) for value in plain}) == 1 else None


def _plain_values(values: Any) -> Iterator[Any]:
    """The values in nested lists that are no lists themselves."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from _plain_values(value)
        elif value is not None:
            yield value


def _may_replace(old: Any, new: Any, same_class: bool) -> bool:
    """Whether the kinds of two values that are no lists, and not both mappings, agree."""
    kinds = _kind(old, exact=False), _kind(new, exact=False)
    if kinds[0] == kinds[1]:
        return True
    if isinstance(old, str) and isinstance(new, dict):
        return True  # a name where there may be the settings of what is named
    if isinstance(old, bool) and isinstance(new, str):
        return new.lower() not in _TRUTH_WORDS  # the extra convolutions of FPN: true, or on_output
    if isinstance(old, str) and isinstance(new, bool):
        return True
    return not same_class and not (isinstance(old, int | float) and isinstance(new, str))


def _kind(value: Any, exact: bool = True) -> str:
    """What to call a value of this kind; integers are numbers unless it has to be exact."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int) and exact:
        return "an integer"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list | tuple):
        return "a list"
    return "a mapping" if isinstance(value, dict) else type(value).__name__
