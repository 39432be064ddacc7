"""Says what a reply means: its category, whether to try again, and whether the address is at fault.

The guide's table comes first, then general rules (docs/bounces.md). A pure function of reply and stage; it never
raises, and it never calls an address bad without a permanent reply that was given to that address.
"""

from __future__ import annotations

from functools import cache

from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.reply import Reply
from directmail_relay.policy.bounce_files import effects
from directmail_relay.policy.bounce_rules import rule_book
from directmail_relay.policy.bounces import (
    Advice,
    BounceRule,
    Category,
    Classification,
    Retry,
    Suppress,
)
from directmail_relay.policy.reply_text import parse_reply_text, read

__all__ = [
    "Advice",
    "BounceRule",
    "Category",
    "Classification",
    "Retry",
    "Suppress",
    "classify",
    "parse_reply_text",
]

_SUCCESS = Classification(
    category=Category.OTHER,
    retry=Retry.NO,
    suppress=Suppress.NO,
    status=0,
    rule="success",
    advice=Advice(
        zh="邮件投递成功。如果接收方没有看到邮件，请其检查垃圾邮件夹，并将发信地址加入白名单。",
        en="Delivered. If the recipient does not see it, it may be in the spam folder; ask them to whitelist you.",
    ),
)
# What passes by its nature, where no code says whether it does.
_PASSING = frozenset(
    {
        Category.RECEIVER_TEMPORARY_FAILURE,
        Category.GREYLISTED,
        Category.NETWORK_ERROR,
        Category.CONNECT_OR_MX_FAILED,
    }
)
# To which commands an answer can be about the recipient (A17, A18); an unknown stage is given the benefit.
_ABOUT = {
    Category.RECIPIENT_NOT_FOUND: {None, Stage.RCPT, Stage.DATA},
    Category.BAD_ADDRESS_SYNTAX: {None, Stage.RCPT},
}


def classify(reply: Reply, stage: Stage | None = None) -> Classification:
    """The meaning of `reply`, which was given at `stage` (None: not known)."""
    reading = read(reply)
    if reading.kind == 2:
        return _SUCCESS
    book = rule_book()
    index = book.first_fit(reading, stage, reply.origin)
    category = book.rules[index].category
    about_recipient = stage in _ABOUT[category] if category in _ABOUT else False
    return _meaning(index, reading.kind, may_suppress=about_recipient)


@cache
def _meaning(index: int, kind: int, *, may_suppress: bool) -> Classification:
    rule = rule_book().rules[index]
    suppress = _suppress(rule, kind, may_suppress=may_suppress)
    effect = effects()[rule.category]
    status = 2 if suppress is Suppress.YES else effect.status
    return Classification(
        category=rule.category,
        retry=rule.retry or _retry(rule.category, kind),
        suppress=suppress,
        status=status if rule.status is None else rule.status,
        rule=rule.id,
        advice=rule.advice,
        next_day=rule.next_day,
    )


def _retry(category: Category, kind: int) -> Retry:
    """The guide's general rule: 4xx is temporary, 5xx is permanent; but a rate is tried again in any case (A11)."""
    effect = effects()[category]
    temporary = kind == 4 or (kind != 5 and category in _PASSING)
    return effect.temporary if temporary else effect.permanent


def _suppress(rule: BounceRule, kind: int, *, may_suppress: bool) -> Suppress:
    """Only a permanent reply to the recipient takes an address off a list; a temporary one may in the end (A19)."""
    if rule.suppress is not None:
        return rule.suppress
    if not may_suppress:
        return Suppress.NO
    if kind == 5:
        return Suppress.YES
    return Suppress.AFTER_RETRIES if kind == 4 and rule.row else Suppress.NO
