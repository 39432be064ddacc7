"""The DNS records of a sending domain (域名配置): what to publish, and whether what was found is it. Asks nobody.

Required are the proof of ownership, SPF and MX; CNAME (tracking), DKIM and DMARC may be missing. SPF is looked through
for our include and never evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

OWNERSHIP_LABEL = "aliyundm"  # the guide's host records
TRACKING_LABEL = "dmtrace"
MX_PREFERENCE = 10
ZONE_TTL = 3600
_TXT_STRING = 255  # octets of one character-string (RFC 1035 §3.3.14)
_SPF = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_DMARC = re.compile(r"v=DMARC1[ \t]*(?:;|\Z)")  # RFC 7489 §6.3: first, and in this case


class Purpose(StrEnum):
    """What a record is for."""

    OWNERSHIP = "ownership"
    SPF = "spf"
    MX = "mx"
    CNAME = "cname"
    DKIM = "dkim"
    DMARC = "dmarc"


REQUIRED = (Purpose.OWNERSHIP, Purpose.SPF, Purpose.MX)
OPTIONAL = (Purpose.CNAME, Purpose.DKIM, Purpose.DMARC)
_TYPES = {Purpose.MX: "MX", Purpose.CNAME: "CNAME"}


@dataclass(frozen=True, slots=True)
class OurNames:
    """The names of ours that the records point to (`domains:` in the configuration)."""

    spf_include: str
    mx_host: str
    tracking_host: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish. Names have no final dot; `expected` is what stands behind the type, TXT in one piece.

    `fallback` is where the record counts as well (DMARC of the main domain). `note` is for people. `may_go`: it was
    needed once, and may be removed.
    """

    purpose: Purpose
    name: str
    expected: str
    fallback: str | None = None
    note: str | None = None
    may_go: bool = False

    @property
    def type(self) -> str:
        return _TYPES.get(self.purpose, "TXT")

    @property
    def is_required(self) -> bool:
        return self.purpose in REQUIRED


def list_records(domain: str, main_domain: str, token: str, ours: OurNames) -> tuple[Record, ...]:
    """All records of a domain but for DKIM, which has as many as there are keys (`dkim_record`)."""
    above = None if domain == main_domain else f"_dmarc.{main_domain}"
    return (
        Record(Purpose.OWNERSHIP, f"{OWNERSHIP_LABEL}.{domain}", token),
        Record(Purpose.SPF, domain, f"v=spf1 include:{ours.spf_include} -all"),
        Record(Purpose.MX, domain, f"{MX_PREFERENCE} {ours.mx_host}"),
        Record(Purpose.CNAME, f"{TRACKING_LABEL}.{domain}", ours.tracking_host),
        Record(Purpose.DMARC, f"_dmarc.{domain}", "v=DMARC1; p=none", fallback=above),
    )


def dkim_record(domain: str, selector: str, public: str, note: str | None = None, *, may_go: bool = False) -> Record:
    """The record of one key; `public` is its whole text, `v=DKIM1; k=rsa; p=…`."""
    return Record(Purpose.DKIM, f"{selector}._domainkey.{domain}", public, note=note, may_go=may_go)


def is_right(record: Record, found: Sequence[str]) -> bool:
    """Whether what the DNS says does what the record is for; other records beside it are nobody's business."""
    match record.purpose:
        case Purpose.OWNERSHIP:
            return any(text.strip() == record.expected for text in found)
        case Purpose.SPF:
            return _has_include(found, record.expected.split()[1])
        case Purpose.MX:
            host = _host(record.expected)
            return any(_host(one) == host for one in found)
        case Purpose.CNAME:
            return any(_same_name(one, record.expected) for one in found)
        case Purpose.DKIM:
            return any(_public_key(text) == _public_key(record.expected) for text in found)
        case Purpose.DMARC:
            return len([text for text in found if is_dmarc(text)]) == 1  # RFC 7489 §6.6.3: of two, neither counts


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record (RFC 7208 §4.5)."""
    return _SPF.match(text) is not None


def is_dmarc(text: str) -> bool:
    return _DMARC.match(text) is not None


def is_dkim(text: str) -> bool:
    """Whether a TXT record holds a DKIM key: a wildcard's text beside it is none."""
    return _public_key(text) is not None


def zone_line(record: Record) -> str:
    """The record as a line of a zone file, its names absolute (RFC 1035 §5.1)."""
    return f"{record.name}. {ZONE_TTL} IN {record.type} {record_data(record)}"


def record_data(record: Record) -> str:
    """What stands behind the type in a zone file: names absolute, texts quoted."""
    return quote_txt(record.expected) if record.type == "TXT" else f"{record.expected}."


def quote_txt(text: str) -> str:
    """ASCII text as the quoted strings of a TXT record, 255 octets at most in each."""
    parts = (text[start : start + _TXT_STRING] for start in range(0, max(len(text), 1), _TXT_STRING))
    return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)


def _has_include(found: Iterable[str], include: str) -> bool:
    """Whether the one SPF record includes us before its `all`, behind which nothing is looked at (RFC 7208 §5.1)."""
    records = [text for text in found if is_spf(text)]
    if len(records) != 1:  # RFC 7208 §4.5: two records are an error, and no receiver looks into either
        return False
    for term in records[0].lower().split()[1:]:
        if term.rstrip(".").removeprefix("+") == include.lower():
            return True
        if term.lstrip("+-~?") == "all":
            return False
    return False


def _host(exchange: str) -> str:
    """The host of `10 mx.example.com.`."""
    return exchange.rpartition(" ")[2].rstrip(".").lower()


def _same_name(one: str, other: str) -> bool:
    return one.rstrip(".").lower() == other.rstrip(".").lower()


def _public_key(text: str) -> str | None:
    """The `p=` of a DKIM record without its white space (RFC 6376 §3.6.1); None when this is no such record."""
    tags = [
        (name.strip(), "".join(value.split())) for name, _, value in (tag.partition("=") for tag in text.split(";"))
    ]
    if any(name == "v" and value != "DKIM1" for name, value in tags):
        return None
    return next((value for name, value in tags if name == "p"), None)
