"""The octets of a configuration file → plain lists, mappings and scalars; nothing in it is executed or expanded.

Refused here, each with its line and column: what is not YAML, a key that stands twice (YAML would let the last one
win in silence), anchors, aliases and tags (a few lines of which can grow to gigabytes), and deep nesting.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml
from yaml import AliasEvent, CSafeLoader, MappingNode, Mark, NodeEvent, ScalarNode
from yaml._yaml import Mark as CMark
from yaml.events import CollectionEndEvent, CollectionStartEvent, DocumentStartEvent
from yaml.reader import ReaderError

from directmail_relay.config.problems import ConfigError, Problem

MAX_OCTETS = 10 << 20
MAX_DEPTH = 20
# Where the library's words leave one guessing.
_HINTS = {"found character that cannot start any token": " (indent with spaces, and quote what begins with @ or `)"}


class _Loader(CSafeLoader):
    """PyYAML's safe loader, but that a key may stand once only."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - theirs
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise _error("a key must be a word", key.start_mark)
            if key.value in seen:
                raise _error(f"the key {key.value} stands twice in one mapping: remove one of the two", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def parse_yaml(content: bytes) -> dict[str, Any]:
    """The mapping at the top of the file. Raises ConfigError."""
    if len(content) > MAX_OCTETS:
        raise ConfigError([Problem("", f"the file is larger than {MAX_OCTETS >> 20} MiB: is it the right file?")])
    try:
        _check_events(content)
        data = yaml.load(content, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _error(
            f"is not YAML: {error.problem or error.context}{_HINTS.get(error.problem or '', '')}", mark
        ) from error
    except ReaderError as error:  # octets that are not UTF-8, control characters
        line = content[: error.position].count(b"\n") + 1
        raise ConfigError([Problem("", f"line {line}: is not YAML: {error.reason}")]) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2026-02-31 looks like a date and is none
        raise ConfigError([Problem("", f"is not YAML: {error}")]) from error
    if not isinstance(data, dict):
        raise ConfigError([Problem("", "must be a mapping: begin with hostname: mail.example.com")])
    return data


def _check_events(content: bytes) -> None:
    """Reads the file as a stream first, so that what would grow is refused before anything is built."""
    depth = documents = 0
    for event in yaml.parse(content, Loader=CSafeLoader):
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            raise _error("anchors and aliases are not taken: write the value out", event.start_mark)
        if getattr(event, "tag", None):
            raise _error("tags are not taken: write the plain value", event.start_mark)
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _error("is nested too deeply", event.start_mark)
        documents += isinstance(event, DocumentStartEvent)
        if documents > 1:
            raise _error("must be one document: remove what follows the line ---", event.start_mark)


def _error(message: str, mark: Mark | CMark | None) -> ConfigError:
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return ConfigError([Problem("", place + message)])
