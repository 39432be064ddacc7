"""The certificate of the listeners: it is there, names us and has time left. No key is read here."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509

from directmail_relay.cli.doctor.aside import aside
from directmail_relay.cli.doctor.finding import Finding, Severity
from directmail_relay.cli.doctor.place import Place
from directmail_relay.config import Listener

SOON = timedelta(days=14)


async def check_certificate(place: Place) -> list[Finding]:
    """It names us and has time left. That it fits its key was checked with the configuration."""
    tls = place.config.smtp.tls
    if tls is None:
        return [_without(place.config.smtp.listeners)]
    content = await aside(tls.certificate.read_bytes)
    return _judge_certificate(place, x509.load_pem_x509_certificates(content)[0])


def _without(listeners: Iterable[Listener]) -> Finding:
    expected = "a certificate for clients on other machines"
    if any(not ipaddress.ip_address(one.address).is_loopback for one in listeners):
        advice = "set smtp.tls: without it passwords would travel in clear, so AUTH is refused to other machines"
        return Finding("certificate", Severity.WARNING, expected, "none", advice)
    return Finding("certificate", Severity.INFO, expected, "none; the listeners are on loopback alone")


def _judge_certificate(place: Place, certificate: x509.Certificate) -> list[Finding]:
    now = datetime.fromtimestamp(place.machine.clock(), UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    expected = "a certificate that is valid for 14 days more"
    found = f"valid until {ends:%Y-%m-%d}"
    if not begins <= now < ends:
        when = f"valid from {begins:%Y-%m-%d} until {ends:%Y-%m-%d}"
        advice = "renew it: clients that check certificates hand in no mail"
        validity = Finding("certificate", Severity.FAIL, expected, when, advice)
    elif ends - now < SOON:
        validity = Finding("certificate", Severity.WARNING, expected, found, "renew it, then reload (SIGHUP)")
    else:
        validity = Finding("certificate", Severity.OK, expected, found)
    return [validity, _judge_names(place.config.hostname, certificate)]


def _judge_names(hostname: str, certificate: x509.Certificate) -> Finding:
    expected = f"the certificate names {hostname}"
    names: list[str] = []
    with contextlib.suppress(x509.ExtensionNotFound):
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]
    found = ", ".join(names) or "no name"
    # RFC 6125 §6.4.3: `*` stands for one whole label.
    if hostname in names or f"*.{hostname.partition('.')[2]}" in names:
        return Finding("certificate", Severity.OK, expected, found)
    advice = "clients that check names must connect by one of these, or get a certificate with ours"
    return Finding("certificate", Severity.WARNING, expected, found, advice)
