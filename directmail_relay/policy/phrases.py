"""The small language in which bounce rules say what they look for, and its translation for the search.

A phrase is words: `user unknown`. `(a|b c|)` are alternatives, `word*` is the beginning of a word, ` .. ` is a gap.
It becomes a regular expression of literals, alternatives and bounded gaps only: no reply can make the search explode.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

GAP = 60  # characters that ` .. ` may span
STEM = 3  # letters by which the beginning of a word is looked up
_WORDS = re.compile(r"[^\W_]+")
_TOKENS = re.compile(r"[^\W_]+\*?|[()|]|\.\.")
_GLUED = re.compile(r"([^\W_]+)\(([^()]*)\)")
_FIRST_WIDE = "\u2e80"  # from here on scripts do not put spaces between words


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    prefix: bool = False

    @property
    def wide(self) -> bool:
        return any(char >= _FIRST_WIDE for char in self.text)


@dataclass(frozen=True, slots=True)
class Gap:
    pass


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """What stands behind one another."""

    parts: tuple[Word | Gap | Choice, ...]

    def pattern(self) -> str:
        """The regular expression to search in a text that `squash` made."""
        if _begins_wide(self):
            return _render(self, at_word=False)
        return " " + _render(self, at_word=True)  # a literal at the beginning: the search runs from space to space

    def needs(self, rarity: Callable[[str], float]) -> list[frozenset[str]]:
        """For each part that must be there: the keys (see `keys`) of which a text must have one; the rarest first.

        `rarity` is small for a rare key. Parts that no key can tell are left out.
        """
        found = [part_keys for part in self.parts if (part_keys := _part_keys(part, rarity))]
        return sorted(found, key=lambda part_keys: sum(map(rarity, part_keys)))

    def single_words(self) -> frozenset[str]:
        """The word, if the phrase is one whole word and nothing else."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return frozenset({only.text} if isinstance(only, Word) and not only.prefix and not only.wide else ())

    def all_keys(self) -> Iterator[str]:
        """The keys of all words, to count how common they are."""
        for part in self.parts:
            if isinstance(part, Choice):
                for option in part.options:
                    yield from option.all_keys()
            elif isinstance(part, Word):
                yield _key(part)


def fold(text: str) -> str:
    """Lower case, without the accents of Latin and Cyrillic letters; other scripts keep their marks."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.lower())
    return unicodedata.normalize("NFC", "".join(c for c in parts if not "\u0300" <= c <= "\u036f"))


def words(text: str) -> list[str]:
    """The words of a folded text."""
    return _WORDS.findall(text)


def squash(found: Iterable[str]) -> str:
    """Words with one space before, between and behind them: the form in which phrases are searched."""
    return f" {' '.join(found)} "


def keys(found: Iterable[str]) -> set[str]:
    """What a text offers to `Phrase.needs`: its words, and the first letters of each, marked by `*`."""
    offered = set(found)
    return offered | {f"{word[:STEM]}*" for word in offered}


def parse_phrase(text: str) -> Phrase:
    """ValueError if the brackets do not fit or there is no word."""
    folded = fold(text)
    while _GLUED.search(folded):  # message(s|) is short for (messages|message)
        folded = _GLUED.sub(lambda m: f"({'|'.join(m[1] + end for end in m[2].split('|'))})", folded)
    tokens = _TOKENS.findall(folded)
    phrase, rest = _parse(tokens)
    if rest or not any(phrase.all_keys()):
        raise ValueError(f"not a phrase: {text!r}")
    return phrase


def _parse(tokens: list[str]) -> tuple[Phrase, list[str]]:
    """Reads up to the end, or to the `|` or `)` that ends this phrase, which is left standing."""
    parts: list[Word | Gap | Choice] = []
    while tokens and tokens[0] not in {"|", ")"}:
        head, tokens = tokens[0], tokens[1:]
        if head == "(":
            choice, tokens = _parse_choice(tokens)
            parts.append(choice)
        elif head == "..":
            parts.append(Gap())
        else:
            parts.append(Word(head.rstrip("*"), prefix=head.endswith("*")))
    return Phrase(tuple(parts)), tokens


def _parse_choice(tokens: list[str]) -> tuple[Choice, list[str]]:
    options: list[Phrase] = []
    while True:
        option, tokens = _parse(tokens)
        options.append(option)
        if not tokens:
            raise ValueError("a bracket is not closed")
        ended, tokens = tokens[0] == ")", tokens[1:]
        if ended:
            return Choice(tuple(options)), tokens


def _render(phrase: Phrase, *, at_word: bool) -> str:
    """Each word takes the space behind it along; `at_word` says that the one before is already behind us."""
    out: list[str] = []
    for part in phrase.parts:
        if isinstance(part, Gap):
            out.append(f".{{0,{GAP}}}?")
            at_word = False
        elif isinstance(part, Choice):
            out.append(f"(?:{'|'.join(_render(option, at_word=at_word) for option in part.options)})")
            at_word = at_word and all(_ends_at_word(option) for option in part.options)
        else:
            out.append(_render_word(part, at_word=at_word))
            at_word = not part.wide
    return "".join(out)


def _render_word(word: Word, *, at_word: bool) -> str:
    if word.wide:
        return word.text
    rest = "[^ ]* " if word.prefix else " "
    return f"{'' if at_word else '(?<= )'}{word.text}{rest}"


def _begins_wide(phrase: Phrase) -> bool:
    """Whether it may begin in the middle of what `words` takes for one word, or with a gap."""
    first = phrase.parts[0] if phrase.parts else Gap()
    if isinstance(first, Choice):
        return any(map(_begins_wide, first.options))
    return not isinstance(first, Word) or first.wide


def _ends_at_word(option: Phrase) -> bool:
    last = option.parts[-1] if option.parts else None
    return last is None or (isinstance(last, Word) and not last.wide)


def _part_keys(part: Word | Gap | Choice, rarity: Callable[[str], float]) -> frozenset[str]:
    if isinstance(part, Gap) or (isinstance(part, Word) and (part.wide or (part.prefix and len(part.text) < STEM))):
        return frozenset()
    if isinstance(part, Word):
        return frozenset({_key(part)})
    options = [option.needs(rarity) for option in part.options]
    return frozenset().union(*(needs[0] for needs in options)) if all(options) else frozenset()


def _key(word: Word) -> str:
    return f"{word.text[:STEM]}*" if word.prefix else word.text
