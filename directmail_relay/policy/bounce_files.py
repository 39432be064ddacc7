"""Reads the two files of bounce rules into BounceRule values, in the order in which they are tried.

A file that is wrong raises ValueError, naming the rule. Nothing here looks at a reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

import yaml

from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.reply import Origin
from directmail_relay.policy.bounces import Advice, BounceRule, Category, Effect, Retry, Suppress

_GUIDE = "bounce_rules_guide.yaml"
_GENERAL = "bounce_rules_general.yaml"
_LAST_ROW = "R20"  # its phrases are everyday words: they come behind everybody's (A5)
_EARLY_PHRASE_OF_LAST_ROW = "R20/greylisted"
_FIRST_ROW = "R17"  # do not retry, whatever R10 says of the same reply (A8)
# The recipient is spoken of once it was named, not before (A18).
_ABOUT_RECIPIENTS = frozenset({Stage.RCPT, Stage.DATA})
_CODE_CLASS = re.compile(r"([1-5])xx")
_RANGE = re.compile(r"([245]\.\d+)\.(\d+)-(\d+)")
_ENHANCED = re.compile(r"none|[245]\.\d{1,3}\.(?:\d{1,3}|\*)")


def read_rules() -> tuple[BounceRule, ...]:
    """All rules, in the order in which they are tried (docs/bounces.md, "In which order")."""
    general, rows = _load(_GENERAL), _load(_GUIDE)["rows"]
    patterns = sorted(_guide_rules(rows, "patterns"), key=_by_table_and_length)
    contains = sorted(_guide_rules(rows, "contains"), key=_by_turn_and_length)
    late = [rule for rule in contains if _is_late(rule)]
    return (
        *patterns,
        *_general_rules(general, "guards"),
        *(rule for rule in contains if not _is_late(rule)),
        *_general_rules(general, "general"),
        *late,
        *_general_rules(general, "fallback"),
    )


@cache
def effects() -> Mapping[Category, Effect]:
    """What follows from each category when neither a row nor a rule says otherwise."""
    advice = {row["row"]: Advice(**row["advice"]) for row in _load(_GUIDE)["rows"]}
    return {
        Category(name): Effect(
            temporary=Retry(entry["temporary"]),
            permanent=Retry(entry["permanent"]),
            status=entry.get("status", 4),
            advice=advice[entry["advice_of"]] if "advice_of" in entry else Advice(**entry["advice"]),
        )
        for name, entry in _load(_GENERAL)["categories"].items()
    }


@cache
def _load(name: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is
    text = files("directmail_relay.policy").joinpath(name).read_text("utf-8")
    return yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders


def _by_table_and_length(rule: BounceRule) -> tuple[bool, int]:
    """The receivers' table first, and in it the longest text: the more it says, the surer it is."""
    return (rule.row or "").startswith("S"), -len(rule.doc)


def _by_turn_and_length(rule: BounceRule) -> tuple[bool, int]:
    return rule.row != _FIRST_ROW, -len(rule.doc)


def _is_late(rule: BounceRule) -> bool:
    return rule.row == _LAST_ROW and rule.id != _EARLY_PHRASE_OF_LAST_ROW


def _guide_rules(rows: Iterable[Mapping[str, Any]], kind: str) -> Iterator[BounceRule]:
    for row in rows:
        for entry in row.get(kind, ()):
            inherited = {key: row[key] for key in ("retry", "suppress", "status") if key in row}
            yield _rule({**inherited, **entry}, Category(row["category"]), Advice(**row["advice"]), row["row"])


def _general_rules(general: Mapping[str, Any], section: str) -> Iterator[BounceRule]:
    for entry in general[section]:
        category = Category(entry["category"])
        yield _rule(entry, category, effects()[category].advice, None)


def _rule(entry: Mapping[str, Any], category: Category, advice: Advice, row: str | None) -> BounceRule:
    unknown = entry.keys() - _FIELDS
    if unknown:
        raise ValueError(f"bounce rule {entry.get('id')}: unknown fields {sorted(unknown)}")
    try:
        return BounceRule(
            **{name: entry[name] for name in _AS_THEY_STAND if name in entry},
            **{name: read(_listed(entry[name])) for name, read in _LISTS.items() if name in entry},
            **{name: read(entry[name]) for name, read in _ENUMS.items() if name in entry},
            stages=frozenset(Stage) if row and "codes" in entry and row != _LAST_ROW else _stages(category),
            category=category,
            advice=advice,
            row=row,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"bounce rule {entry.get('id')}: {error}") from error


def _stages(category: Category) -> frozenset[Stage]:
    return _ABOUT_RECIPIENTS if category.names_a_bad_address else frozenset(Stage)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _codes(listed: Iterable[str | int]) -> frozenset[int]:
    return frozenset(chain.from_iterable(map(_code_range, map(str, listed))))


def _code_range(entry: str) -> Iterable[int]:
    """550 → 550; 4xx → 400 to 499; none → 0."""
    if entry == "none":
        return (0,)
    if match := _CODE_CLASS.fullmatch(entry):
        return range(int(match[1]) * 100, int(match[1]) * 100 + 100)
    return (int(entry),)


def _enhanced(listed: Iterable[str]) -> frozenset[str]:
    return frozenset(chain.from_iterable(map(_enhanced_range, map(str, listed))))


def _enhanced_range(entry: str) -> Iterator[str]:
    """x.1.1 → 4.1.1 and 5.1.1; 5.7.606-649 → each of them; `5.7.*` stays and stands for any detail."""
    for one in (f"4{entry[1:]}", f"5{entry[1:]}") if entry.startswith("x.") else (entry,):
        match = _RANGE.fullmatch(one)
        if match:
            yield from (f"{match[1]}.{detail}" for detail in range(int(match[2]), int(match[3]) + 1))
        elif _ENHANCED.fullmatch(one):
            yield one
        else:
            raise ValueError(f"not an enhanced code: {entry!r}")


# How each field of an entry becomes that of a rule; `code` is the guide's spelling of one that must be there.
_AS_THEY_STAND = ("id", "example", "why", "doc", "status", "next_day", "with_ip")
_LISTS: Mapping[str, Callable[[list[Any]], Any]] = {
    "phrases": tuple,
    "unless": tuple,
    "codes": _codes,
    "enhanced": _enhanced,
    "origins": lambda names: frozenset(map(Origin, names)),
}
_ENUMS: Mapping[str, Callable[[Any], Any]] = {"retry": Retry, "suppress": Suppress}
_FIELDS = {*_AS_THEY_STAND, *_LISTS, *_ENUMS, "category"}
