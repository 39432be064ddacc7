"""Loads the bounce rules and finds those that could apply to a reply.

The order of the rules is the order in the files; the guide's come first. A rule is looked at only if the reply
has one of its anchors (a word, an enhanced code, a reply code), so that most rules cost nothing for most replies.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.reply import Origin
from directmail_relay.policy.bounce_files import read_rules
from directmail_relay.policy.bounces import BounceRule
from directmail_relay.policy.phrases import Phrase, fold, keys, parse_phrase, words
from directmail_relay.policy.reply_text import Reading

_Key = TypeVar("_Key", str, int)


@dataclass(slots=True, eq=False)
class Sought:
    """One phrase. `needs` are keys of which the text must have one each: cheaper to ask than the search itself."""

    needs: tuple[frozenset[str], ...]
    source: str
    compiled: re.Pattern[str] | None = None  # when it is first needed: most never are in one process's life

    def is_in(self, text: str, offered: Collection[str]) -> bool:
        for need in self.needs:
            if need.isdisjoint(offered):
                return False
        if self.compiled is None:
            self.compiled = re.compile(self.source)
        return self.compiled.search(text) is not None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One phrase of one rule, or a rule without phrases. `place` is the rule's place among all."""

    place: int
    rule: BounceRule
    sought: Sought | None
    forbidden_words: frozenset[str]
    forbidden: tuple[Sought, ...]

    def fits(self, reading: Reading, offered: Collection[str]) -> bool:
        """True if codes and words are those of the rule; stage and origin are for `admits`."""
        rule = self.rule
        return (
            (not rule.codes or reading.code in rule.codes)
            and (not rule.with_ip or reading.has_ip)
            and (not rule.enhanced or not rule.enhanced.isdisjoint(reading.enhanced))
            and self.forbidden_words.isdisjoint(offered)
            and (self.sought is None or self.sought.is_in(reading.text, offered))
            and not (self.forbidden and any(sought.is_in(reading.text, offered) for sought in self.forbidden))
        )

    def admits(self, stage: Stage | None, origin: Origin) -> bool:
        """An unknown stage forbids nothing."""
        return (stage is None or stage in self.rule.stages) and origin in self.rule.origins


class RuleBook:
    """All rules, indexed by what a reply must have for them. Candidates are numbered in the order of trying."""

    def __init__(self, rules: tuple[BounceRule, ...]) -> None:
        self.rules = rules
        self._parsed = {text: parse_phrase(text) for rule in rules for text in (*rule.phrases, *rule.unless)}
        # The examples are replies as they come, so they tell how often a word comes.
        self._seen = Counter(key for rule in rules for key in keys(words(fold(rule.example))))
        self._candidates = [candidate for place, rule in enumerate(rules) for candidate in self._of(place, rule)]
        by_key = _index(self._candidates, _keys_of)
        # With each number goes the second thing that its phrase needs: asked here, it spares most of the sorting.
        self._by_key = {key: [(n, _second_need(self._candidates[n])) for n in by_key[key]] for key in by_key}
        self._by_enhanced = _index(self._candidates, _enhanced_of)
        self._by_code = _index(self._candidates, _codes_of)
        self._all_keys = frozenset(self._by_key)
        self._always = [n for n, candidate in enumerate(self._candidates) if _is_always(candidate)]
        self._wide = [
            n for n, candidate in enumerate(self._candidates) if candidate.sought and not candidate.sought.needs
        ]

    def first_fit(self, reading: Reading, stage: Stage | None, origin: Origin) -> int:
        """The place in `rules` of the first rule that fits; the last rule fits everything."""
        offered = keys(reading.words)
        for number in self._in_question(reading, offered):
            candidate = self._candidates[number]
            if candidate.fits(reading, offered) and candidate.admits(stage, origin):
                return candidate.place
        raise AssertionError("the last rule fits everything")

    def patterns(self) -> Iterator[str]:
        """Every regular expression that may be searched, for the check that none can explode."""
        return (phrase.pattern() for phrase in self._parsed.values())

    def _in_question(self, reading: Reading, offered: set[str]) -> list[int]:
        """The numbers of all candidates that a key or a code leads to, in the order of trying."""
        found = list(self._always)
        for key in self._all_keys & offered:
            found += [number for number, need in self._by_key[key] if not need.isdisjoint(offered)]
        for enhanced in reading.enhanced:
            found += self._by_enhanced.get(enhanced, ())
        found += self._by_code.get(reading.code, ())
        if not reading.text.isascii():
            found += self._wide
        found.sort()
        return found

    def _of(self, place: int, rule: BounceRule) -> Iterator[Candidate]:
        single = frozenset(text for text in rule.unless if text in self._parsed[text].single_words())
        forbidden = tuple(self._sought(text) for text in rule.unless if text not in single)
        for text in rule.phrases:
            yield Candidate(place, rule, self._sought(text), single, forbidden)
        if not rule.phrases:
            yield Candidate(place, rule, None, single, forbidden)

    def _sought(self, text: str) -> Sought:
        phrase: Phrase = self._parsed[text]
        return Sought(tuple(phrase.needs(self._rarity)), phrase.pattern())

    def _rarity(self, key: str) -> float:
        return self._seen[key] + 0.3  # even a word of no example comes at times


def _index(candidates: Iterable[Candidate], of: Callable[[Candidate], Iterable[_Key]]) -> Mapping[_Key, list[int]]:
    numbers: defaultdict[_Key, list[int]] = defaultdict(list)
    for number, candidate in enumerate(candidates):
        for key in of(candidate):
            numbers[key].append(number)
    return dict(numbers)


def _keys_of(candidate: Candidate) -> Iterable[str]:
    return candidate.sought.needs[0] if candidate.sought and candidate.sought.needs else ()


def _second_need(candidate: Candidate) -> frozenset[str]:
    needs = candidate.sought.needs if candidate.sought else ()
    return needs[min(1, len(needs) - 1)]


def _enhanced_of(candidate: Candidate) -> Iterable[str]:
    return () if candidate.sought else candidate.rule.enhanced


def _codes_of(candidate: Candidate) -> Iterable[int]:
    return () if candidate.sought or candidate.rule.enhanced else candidate.rule.codes


def _is_always(candidate: Candidate) -> bool:
    return not (candidate.sought or candidate.rule.enhanced or candidate.rule.codes)


@cache
def rule_book() -> RuleBook:
    """The rules of the package; read once, at the first reply."""
    return RuleBook(read_rules())
