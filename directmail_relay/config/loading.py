"""Finds the configuration file, reads it, and says everything that is wrong with it at once.

It never reads a setting from the environment: only where the file is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from directmail_relay.config.models import Config
from directmail_relay.config.problems import ConfigError, Problem, explain
from directmail_relay.config.secret_files import is_exposed, read_file
from directmail_relay.config.yaml_text import MAX_OCTETS, parse_yaml

ENVIRONMENT = "DIRECTMAIL_RELAY_CONFIG"
PLACES = (Path("config.yaml"), Path("/etc/directmail-relay/config.yaml"))


def find_config(explicit: Path | None = None) -> Path:
    """`explicit` when given, else what the environment names, else the first of PLACES that exists.

    What is named is returned whether it exists or not, so that the complaint is about that file. Raises ConfigError
    when nothing is named and nothing is there.
    """
    if explicit is not None:
        return explicit
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    for place in PLACES:
        if place.is_file():
            return place
    places = " nor ".join(map(str, PLACES))
    raise ConfigError([Problem("", f"there is neither {places}: name a file with -c FILE or ${ENVIRONMENT}")])


def load_config(path: Path) -> Config:
    """The configuration in `path`, with the files it names read and checked. Raises ConfigError with all problems."""
    try:
        content = read_file(path, limit=MAX_OCTETS)
    except ValueError as error:
        raise ConfigError([Problem("", str(error))]) from error
    data = parse_yaml(content)
    folder = path.absolute().parent
    try:
        config = Config.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        raise ConfigError(explain(error, Config)) from None
    return _settle_secret_key(config, folder)


def _settle_secret_key(config: Config, folder: Path) -> Config:
    """A key file that is not named lies beside the database: the configuration's folder may be read-only."""
    if "secret_key_file" in config.model_fields_set:
        return config
    database = config.database.path
    home = database.parent if database else folder
    return config.model_copy(update={"secret_key_file": home / config.secret_key_file})


def find_exposed_files(config: Config, path: Path | None = None) -> list[Problem]:
    """The files with secrets that others than their owner can read: worth a warning, not an error.

    `path` is the configuration's own file, which counts when a password stands in it.
    """
    files = list(_secret_files(config))
    if path is not None and _holds_passwords(config):
        files.append(("", path))
    return [
        Problem(place, f"others can read {file}: chmod 600 {file}")
        for place, file in files
        if file is not None and is_exposed(file)
    ]


def find_unsigned_addresses(config: Config) -> list[Problem]:
    """Addresses whose domain is not declared with a DKIM key: they send, but nothing proves who they are."""
    signed = {domain.name for account in config.accounts for domain in account.domains if domain.dkim is not None}
    return [
        Problem(
            f"accounts[{i}].addresses[{j}].address",
            f"mail from {one.address.domain} is not signed: declare the domain with a dkim key",
        )
        for i, account in enumerate(config.accounts)
        for j, one in enumerate(account.addresses)
        if not _is_covered(one.address.domain, signed)
    ]


def _is_covered(domain: str, signed: set[str]) -> bool:
    return any(domain == name or domain.endswith(f".{name}") for name in signed)


def _holds_passwords(config: Config) -> bool:
    if config.database.url_file is None and config.database.has_password:
        return True
    if config.domains.automatic_dns is not None and config.domains.automatic_dns.key_secret is not None:
        return True
    return any(one.password for account in config.accounts for one in (*account.domains, *account.addresses))


def _secret_files(config: Config) -> Iterator[tuple[str, Path | None]]:
    yield "database.url_file", config.database.url_file
    yield "secret_key_file", config.secret_key_file
    if config.domains.automatic_dns:
        yield "domains.automatic_dns.key_secret_file", config.domains.automatic_dns.key_secret_file
    if config.smtp.tls:
        yield "smtp.tls.key", config.smtp.tls.key
    for i, account in enumerate(config.accounts):
        for j, domain in enumerate(account.domains):
            yield f"accounts[{i}].domains[{j}].password_file", domain.password_file
            yield f"accounts[{i}].domains[{j}].dkim.key_file", domain.dkim.key_file if domain.dkim else None
        for j, address in enumerate(account.addresses):
            yield f"accounts[{i}].addresses[{j}].password_file", address.password_file
