"""The configuration file → one frozen `Config`, or all that is wrong with it at once."""

from __future__ import annotations

from directmail_relay.config.accounts import Account, AccountAddress, AccountDomain, Dkim, IpProtection
from directmail_relay.config.credential import Credential
from directmail_relay.config.delivery import Delivery, DeliveryTimeouts, Dns, InFlight, Retry, Route
from directmail_relay.config.domains import AutomaticDns, Domains
from directmail_relay.config.doubts import find_doubts
from directmail_relay.config.loading import find_config, find_exposed_files, find_unsigned_addresses, load_config
from directmail_relay.config.models import Bounces, Config, DatabaseConfig, Http, IpProtectionRules, Log, Retention
from directmail_relay.config.problems import ConfigError, Problem
from directmail_relay.config.reload import needs_restart
from directmail_relay.config.smtp import Listener, Smtp, SmtpTimeouts, Tls
from directmail_relay.config.units import Endpoint

__all__ = [
    "Account",
    "AccountAddress",
    "AccountDomain",
    "AutomaticDns",
    "Bounces",
    "Config",
    "ConfigError",
    "Credential",
    "DatabaseConfig",
    "Delivery",
    "DeliveryTimeouts",
    "Dkim",
    "Dns",
    "Domains",
    "Endpoint",
    "Http",
    "InFlight",
    "IpProtection",
    "IpProtectionRules",
    "Listener",
    "Log",
    "Problem",
    "Retention",
    "Retry",
    "Route",
    "Smtp",
    "SmtpTimeouts",
    "Tls",
    "find_config",
    "find_doubts",
    "find_exposed_files",
    "find_unsigned_addresses",
    "load_config",
    "needs_restart",
]
