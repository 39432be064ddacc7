"""What is wrong with a configuration, in sentences that say where it is and what to write instead.

Values are never quoted: a password that stands at the wrong key must not end up in a log.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from directmail_relay.config.fields import CrossProblemsError

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` is the place in the YAML, as in `smtp.listeners[0].port`; empty for the file as a whole."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(Exception):
    """The configuration cannot be used; `problems` are all that were found, at least one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[Problem]]]:
        return type(self), (self.problems,)


def render_path(place: Iterable[str | int]) -> str:
    """`("smtp", "listeners", 0, "port")` → `smtp.listeners[0].port`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def explain(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Pydantic's findings as problems, in the order of the model's keys."""
    return [problem for details in error.errors() for problem in _explain_one(details, model)]


def _explain_one(details: ErrorDetails, model: type[BaseModel]) -> Iterator[Problem]:
    place, context = details["loc"], details.get("ctx", {})
    cause = context.get("error")
    if details["type"] == "default_factory_not_called":
        return  # a default that follows from a key which is wrong itself
    if isinstance(cause, CrossProblemsError):
        for below, message in cause.problems:
            yield Problem(render_path((*place, *below)), message)
    elif isinstance(cause, ValueError):
        yield Problem(render_path(place), str(cause))
    elif details["type"] == "extra_forbidden":
        yield Problem(render_path(place), _suggest(place, model))
    else:
        sentence = _SENTENCES.get(details["type"])
        yield Problem(render_path(place), sentence(context) if sentence else details["msg"])


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "is missing: give it a value",
    "int_type": lambda _: "must be a whole number",
    "bool_type": lambda _: "must be true or false",
    "string_type": lambda _: "must be text: put it in quotes",
    "model_type": lambda _: "must be a mapping of keys and values",
    "model_attributes_type": lambda _: "must be a mapping of keys and values",
    "invalid_key": lambda _: "is not a key: keys are words",
    "literal_error": lambda context: f"must be one of: {_unquote(context['expected'])}",
    "greater_than_equal": lambda context: f"must be {context['ge']} or more",
    "less_than_equal": lambda context: f"must be {context['le']} or less",
}


def _unquote(expected: str) -> str:
    """Pydantic's `'none', 'starttls' or 'implicit'` → `none, starttls, implicit`."""
    return expected.replace("'", "").replace(" or ", ", ")


def _suggest(place: Place, model: type[BaseModel]) -> str:
    """The sentence for a key that nobody knows; names the nearest one that is known at that place."""
    known = list(find_model(place[:-1], model).model_fields)
    near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.6)
    if near:
        return f"is not a known key: did you mean {near[0]}?"
    return f"is not a known key: known here are {', '.join(known)}"


def find_model(place: Place, model: type[BaseModel]) -> type[BaseModel]:
    """The model that describes the mapping at `place`."""
    for part in place:
        if isinstance(part, str):
            model = next(find_models(model.model_fields[part].annotation))
    return model


def find_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside a type such as `tuple[Listener, ...]` or `Tls | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from find_models(argument)
