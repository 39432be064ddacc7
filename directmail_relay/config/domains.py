"""The `domains:` section: what senders' DNS records say, how often that is checked, and who may write it for them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import PrivateAttr, SecretStr, model_validator

from directmail_relay.config.fields import (
    CrossProblemsError,
    DnsServer,
    Domain,
    FilePath,
    Items,
    Seconds,
    Section,
    SelectorPrefix,
)
from directmail_relay.config.hosts import Host
from directmail_relay.config.secret_files import read_secret
from directmail_relay.resolver.update import TsigKey

HOUR = 3600.0
DAY = 86400.0


class AutomaticDns(Section):
    """A server that takes dynamic updates (RFC 2136) signed with a TSIG key. Without `zones` it is asked for them."""

    server: DnsServer
    zones: Items[Domain] = ()
    key_name: Host
    key_secret: SecretStr | None = None
    key_secret_file: FilePath | None = None
    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1"] = "hmac-sha256"
    _from_file: SecretStr | None = PrivateAttr(default=None)

    @property
    def key(self) -> TsigKey:
        """The key with its secret; it was looked at when the file was loaded."""
        secret = self.key_secret or self._from_file
        return TsigKey(self.key_name, secret.get_secret_value() if secret else "", self.algorithm)

    @model_validator(mode="after")
    def _read_key(self) -> Self:
        way = "key_secret" if self.key_secret_file is None else "key_secret_file"
        if (self.key_secret is None) == (self.key_secret_file is None):
            raise CrossProblemsError([((way,), "is needed once: give key_secret or key_secret_file")])
        try:
            if self.key_secret_file is not None:
                self._from_file = SecretStr(read_secret(self.key_secret_file))
            _ = self.key
        except ValueError as error:
            raise CrossProblemsError([((way,), str(error))]) from None
        return self


class Domains(Section):
    """Names that senders' DNS records point to; those that are not given follow from `hostname`. Times in seconds."""

    spf_include: Host = ""
    mx_host: Host = ""
    tracking_host: Host = ""
    recheck: Seconds = HOUR
    grace: Seconds = 3 * DAY
    dkim_selector: SelectorPrefix = "s"
    automatic_dns: AutomaticDns | None = None
