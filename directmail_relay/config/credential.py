"""How a declared login proves itself. Passwords are held so that no repr, log line or traceback shows them."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, PrivateAttr, SecretStr, model_validator

from directmail_relay.accounts.passwords import MAX_PASSWORD_SIZE, parse_password_hash
from directmail_relay.config.fields import CrossProblemsError, FilePath, Section
from directmail_relay.config.secret_files import read_secret

# In base64 without padding; parse_password_hash looks at the parameters only.
_ENDS_IN_SALT_AND_HASH = re.compile(r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}\Z")
_WAYS = ("password", "password_file", "password_hash")


def _check_hash(value: SecretStr) -> SecretStr:
    advice = "make one with directmail-relay hash-password"
    try:
        text = parse_password_hash(value.get_secret_value())
    except ValueError as error:
        raise ValueError(f"{error}: {advice}") from None
    if not _ENDS_IN_SALT_AND_HASH.search(text):
        raise ValueError(f"the password hash has no salt or no hash at its end: {advice}")
    return value


def _check_password(value: SecretStr) -> SecretStr:
    if not 0 < len(value.get_secret_value().encode()) <= MAX_PASSWORD_SIZE:
        raise ValueError(f"must have between 1 and {MAX_PASSWORD_SIZE} octets: give another, or password_hash")
    return value


class Credential(Section):
    """How a login proves itself: by one of the three. A file's content is read once, when the file is loaded."""

    password: Annotated[SecretStr, AfterValidator(_check_password)] | None = None
    password_file: FilePath | None = None
    password_hash: Annotated[SecretStr, AfterValidator(_check_hash)] | None = None
    _from_file: SecretStr | None = PrivateAttr(default=None)

    @property
    def plain_password(self) -> SecretStr | None:
        """The password itself, from the file or from `password_file`; None when only a hash or nothing is given."""
        return self.password or self._from_file

    def without_password(self) -> Self:
        """The same login with nothing to prove itself by: all that a worker should be given."""
        bare = self.model_copy(update=dict.fromkeys(_WAYS))
        bare._from_file = None  # noqa: SLF001 - our own, of a copy
        return bare

    @property
    def has_password(self) -> bool:
        return any(getattr(self, way) is not None for way in _WAYS)

    @model_validator(mode="after")
    def _read_password(self) -> Self:
        given = [way for way in _WAYS if getattr(self, way) is not None]
        if len(given) > 1:
            raise CrossProblemsError([((given[1],), f"stands beside {given[0]}: keep one of the two")])
        if self.password_file is not None:
            try:
                self._from_file = _check_password(SecretStr(read_secret(self.password_file)))
            except ValueError as error:
                raise CrossProblemsError([(("password_file",), str(error))]) from None
        return self
