"""Durations, sizes, endpoints: what is taken, and that nothing else gets through."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directmail_relay.config.hosts import parse_host
from directmail_relay.config.units import (
    Endpoint,
    parse_duration,
    parse_endpoint,
    parse_ip,
    parse_network,
    parse_size,
)

ANYTHING = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers()))
LIKELY = st.text("0123456789.:[]-/smhdKMGiB%", max_size=30)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("5m", 300.0), ("4h", 14_400.0), ("3d", 259_200.0), ("200ms", 0.2), ("0s", 0.0), ("1500ms", 1.5)],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value", [30, 1.5, True, None, "", "30", "s", "-5s", "1.5h", "5 m", "5M", "٣s", "5s\n", ["5s"]]
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "octets"), [("512B", 512), ("64KiB", 65_536), ("15MiB", 15_728_640), ("1GiB", 1 << 30)]
)
def test_sizes_are_octets(text: str, octets: int) -> None:
    assert parse_size(text) == octets


@pytest.mark.parametrize("value", [1024, True, None, "", "15", "15MB", "15mib", "1.5GiB", "-1B", "1 KiB"])
def test_what_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(value)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:8080", Endpoint("127.0.0.1", 8080)),
        ("[::1]:0", Endpoint("::1", 0)),
        ("[2001:DB8:0::1]:53", Endpoint("2001:db8::1", 53)),
    ],
)
def test_endpoints_read_back_as_they_are_written(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize("text", ["192.0.2.1", "::1"])
def test_a_default_port_lets_the_bare_address_stand(text: str) -> None:
    assert parse_endpoint(text, default_port=53) == Endpoint(text, 53)
    with pytest.raises(ValueError, match="port"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    "text", ["localhost:80", "127.0.0.1:", ":80", "::1:80", "127.0.0.1:65536", "[127.0.0.1", "1:1:1"]
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|IP address"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("MX.Example.com.", "mx.example.com"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_hosts_are_names_or_addresses(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text", ["", "-mx.example.com", "mx-.example.com", "a..b", "1.2.3", "[::1]", "a b", "mx.example.com\n", "x" * 64]
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"host name|IP address"):
        parse_host(text)


@pytest.mark.parametrize("parse", [parse_duration, parse_size, parse_endpoint, parse_ip, parse_network])
@given(value=ANYTHING | LIKELY)
def test_nothing_but_valueerror_comes_out(parse: Callable[[object], object], value: object) -> None:
    try:
        parsed = parse(value)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either outcome is right, a third is not
    else:
        assert parsed is not None
