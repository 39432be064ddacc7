"""The whole configuration as one frozen value: it can be compared, pickled and sent to the worker processes.

Only what was read from a file is complete: `load_config` settles relative paths and what follows from `hostname`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationInfo, model_validator

from directmail_relay.config.accounts import Accounts
from directmail_relay.config.delivery import DAY, Delivery
from directmail_relay.config.domains import Domains
from directmail_relay.config.fields import (
    CrossProblemsError,
    Domain,
    FilePath,
    Items,
    ListenEndpoint,
    Network,
    Seconds,
    Section,
    TimeZone,
    Url,
    Workers,
)
from directmail_relay.config.secret_files import read_secret
from directmail_relay.config.smtp import Smtp
from directmail_relay.config.units import Endpoint
from directmail_relay.database.engine import parse_database_url
from directmail_relay.mail.address import parse_domain

DEFAULT_DATABASE = "sqlite:///relay.db"
_SQLITE = "sqlite:///"


def _settle_database(value: SecretStr, info: ValidationInfo) -> SecretStr:
    return SecretStr(settle_database_url(value.get_secret_value(), _folder_of(info)))


def _folder_of(info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder


def settle_database_url(url: str, folder: Path) -> str:
    """The URL with a SQLite file's path made absolute, as seen from `folder`. ValueError says what to write."""
    parsed = parse_database_url(url)
    if parsed.get_backend_name() != "sqlite" or not url.startswith(_SQLITE):
        return url
    path, mark, query = url.removeprefix(_SQLITE).partition("?")
    return f"{_SQLITE}{folder.absolute() / path}{mark}{query}"


class DatabaseConfig(Section):
    """Where everything is kept. The URL may hold a password, so it is a secret, and may come from a file."""

    url: Annotated[SecretStr, AfterValidator(_settle_database)] = Field(
        default=SecretStr(DEFAULT_DATABASE), validate_default=True
    )
    url_file: FilePath | None = None
    _from_file: SecretStr | None = PrivateAttr(default=None)

    @property
    def location(self) -> str:
        """The URL with its password: for the database alone, never for a log or a message."""
        return (self._from_file or self.url).get_secret_value()

    @property
    def shown(self) -> str:
        """The URL without its password and without options, for people to read."""
        url = parse_database_url(self.location)
        return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)

    @property
    def has_password(self) -> bool:
        return parse_database_url(self.location).password is not None

    @property
    def path(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        name = parse_database_url(self.location).database
        return Path(str(name)) if self.location.startswith("sqlite") else None

    @model_validator(mode="after")
    def _read_url(self, info: ValidationInfo) -> Self:
        if self.url_file is None:
            return self
        if "url" in self.model_fields_set:
            raise CrossProblemsError([(("url_file",), "stands beside url: keep one of the two")])
        try:
            url = settle_database_url(read_secret(self.url_file), _folder_of(info))
        except ValueError as error:
            raise CrossProblemsError([(("url_file",), str(error))]) from None
        self._from_file = SecretStr(url)
        return self


class Http(Section):
    """Metrics and health, later the API and the console. `public_url` follows from `listen` when it is not given."""

    listen: ListenEndpoint = Endpoint("127.0.0.1", 8080)
    public_url: Url = Field(default_factory=lambda data: f"http://{data['listen']}")
    trusted_proxies: Items[Network] = ()


class IpProtectionRules(Section):
    """`allow_private`: entries may be private addresses, for relays whose clients are on the same network."""

    allow_private: bool = False


class Bounces(Section):
    """`advise`: a 4xx is retried although its rule says not to, and the rule's advice goes into the event."""

    no_retry_rows: Literal["advise", "obey"] = "advise"


class Retention(Section):
    """Seconds for which the details of a recipient are kept after its final event."""

    events: Seconds = 30 * DAY


class InvalidAddresses(Section):
    """How long an address stays invalid after the last reply that said so; `after_retries` is the guide's row R15."""

    expire: Seconds = 180 * DAY
    after_retries: bool = False


class Log(Section):
    """What `serve` writes to standard output."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Config(Section):
    """One configuration file, checked. `workers` is None for `auto`."""

    hostname: Domain
    node: Annotated[int, Field(ge=0, le=1023)] = 1
    workers: Workers = None
    time_zone: TimeZone = "Asia/Shanghai"
    database: DatabaseConfig = Field(default_factory=DatabaseConfig)
    smtp: Smtp = Smtp()
    delivery: Delivery = Delivery()
    http: Http = Http()
    domains: Domains = Domains()
    ip_protection: IpProtectionRules = IpProtectionRules()
    secret_key_file: FilePath = Path("secret.key")
    retention: Retention = Retention()
    bounces: Bounces = Bounces()
    invalid_addresses: InvalidAddresses = InvalidAddresses()
    log: Log = Log()
    accounts: Accounts = ()

    @model_validator(mode="after")
    def _check_ports(self) -> Self:
        taken = {(one.address, one.port) for one in self.smtp.listeners if one.port}
        if (self.http.listen.address, self.http.listen.port) in taken:
            message = f"{self.http.listen} is also a listener of smtp: choose another port for one of the two"
            raise CrossProblemsError([(("http", "listen"), message)])
        return self

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        """A default database, too, is seen from the file's folder; names in `domains:` follow from `hostname`."""
        if not isinstance(data, dict):
            return data
        filled = {"database": {}, **data}
        given = data.get("domains", {})
        if isinstance(given, dict):
            filled["domains"] = {**_derive_domains(data.get("hostname")), **given}
        return filled


def _derive_domains(hostname: object) -> dict[str, str]:
    """Nothing when `hostname` is wrong: one complaint about it is enough."""
    try:
        name = parse_domain(hostname) if isinstance(hostname, str) else ""
    except ValueError:
        name = ""
    return {"spf_include": f"spf.{name}", "mx_host": name, "tracking_host": name} if name else {}
