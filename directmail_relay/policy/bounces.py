"""The nouns of bounce classification: what a reply can mean, and what follows from it for the recipient.

Values only. The rules themselves are data (`bounce_rules.yaml`); nothing here reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from directmail_relay.mail.attempt import Stage
from directmail_relay.mail.reply import Origin


class Category(StrEnum):
    """What a reply means. Rows of the guide's tables that mean the same share one name (docs/bounces.md)."""

    RECIPIENT_NOT_FOUND = "recipient_not_found"
    SENDER_BLACKLISTED = "sender_blacklisted"
    IP_BLACKLISTED = "ip_blacklisted"
    RECIPIENT_RESTRICTED = "recipient_restricted"
    IP_RATE_LIMITED = "ip_rate_limited"
    SENDER_RATE_LIMITED = "sender_rate_limited"
    DOMAIN_RATE_LIMITED = "domain_rate_limited"
    FLOW_CONTROL = "flow_control"
    SPAM = "spam"
    MESSAGE_TOO_LARGE = "message_too_large"
    MAILBOX_FULL = "mailbox_full"
    RECEIVER_TEMPORARY_FAILURE = "receiver_temporary_failure"
    GREYLISTED = "greylisted"
    BAD_ADDRESS_SYNTAX = "bad_address_syntax"
    SPF_FAILED = "spf_failed"
    NETWORK_ERROR = "network_error"
    CONNECT_OR_MX_FAILED = "connect_or_mx_failed"
    RELAY_DENIED = "relay_denied"
    DKIM_DMARC_FAILED = "dkim_dmarc_failed"
    TLS_REQUIRED = "tls_required"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    POLICY_REJECTED = "policy_rejected"
    PROTOCOL_ERROR = "protocol_error"
    OTHER = "other"

    @property
    def names_a_bad_address(self) -> bool:
        """Only these two may ever take an address off somebody's list."""
        return self in {Category.RECIPIENT_NOT_FOUND, Category.BAD_ADDRESS_SYNTAX}


class Retry(StrEnum):
    """YES: with the normal schedule. LATER: after a pause, at a lower rate. NO: not at all."""

    YES = "yes"
    LATER = "later"
    NO = "no"


class Suppress(StrEnum):
    """Whether the address becomes an invalid address: now, never, or once the retries are used up."""

    YES = "yes"
    NO = "no"
    AFTER_RETRIES = "after_retries"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to tell the sender, in Chinese and in English."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What follows from a category at 4xx and at 5xx, where neither a row of the guide nor a rule says otherwise."""

    temporary: Retry
    permanent: Retry
    status: int
    advice: Advice


@dataclass(frozen=True, slots=True)
class Classification:
    """What one reply means. `status` is the guide's: 0 delivered, 2 invalid address, 3 judged spam, 4 failed.

    `next_day`: a daily limit was met; not before the receiver's next day. `rule` is the id of the rule that decided.
    """

    category: Category
    retry: Retry
    suppress: Suppress
    status: int
    rule: str
    advice: Advice
    next_day: bool = False


@dataclass(frozen=True, slots=True)
class BounceRule:
    """One rule. Each condition that is given must hold; the phrases are alternatives of which one must be found.

    `codes` are reply codes (0 = none was given); `enhanced` are RFC 3463 codes, `5.7.*` for any detail, `none` for
    none. `with_ip`: the reply must name an IP address. `row` and `doc` are the guide's row and its text. `retry`,
    `suppress` and `status` are None where the category's stand.
    """

    id: str
    category: Category
    advice: Advice
    example: str
    why: str = ""
    row: str | None = None
    doc: str = ""
    phrases: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    codes: frozenset[int] = frozenset()
    enhanced: frozenset[str] = frozenset()
    stages: frozenset[Stage] = field(default_factory=lambda: frozenset(Stage))
    origins: frozenset[Origin] = field(default_factory=lambda: frozenset(Origin))
    retry: Retry | None = None
    suppress: Suppress | None = None
    status: int | None = None
    next_day: bool = False
    with_ip: bool = False
