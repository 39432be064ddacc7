"""The DKIM verdict: dkimpy, which did not make the signature, checks the mail with the key that the DNS gives it."""

from __future__ import annotations

import asyncio

import dkim  # type: ignore[import-untyped]  # it has no type hints

from directmail_relay.cli.demo.failure import DemoFailedError
from directmail_relay.cli.demo.stage import SELECTOR, SENDER_DOMAIN
from directmail_relay.content.headers import split_header
from directmail_relay.mail.mx import Texts
from directmail_relay.resolver import Resolver

SHOWN = frozenset({b"received", b"message-id", b"dkim-signature"})
DNS_SECONDS = 5.0


async def judge_signature(content: bytes, dns_server: str) -> str:
    """`DKIM: pass (d=test.com s=s1, rsa-sha256)`. Raises DemoFailedError for all but a pass of the sender's key."""
    resolver = Resolver([dns_server])
    loop = asyncio.get_running_loop()

    def ask(name: bytes, timeout: float = DNS_SECONDS) -> bytes | None:
        """Called by dkimpy in a thread."""
        question = resolver.texts(name.decode("ascii").rstrip("."))
        answer = asyncio.run_coroutine_threadsafe(question, loop).result(timeout)
        return answer.texts[0] if isinstance(answer, Texts) else None

    try:
        return await asyncio.to_thread(_judge, content, ask)
    finally:
        await resolver.close()


def _judge(content: bytes, ask: object) -> str:
    verifier = dkim.DKIM(content)
    try:
        passed = verifier.verify(dnsfunc=ask)
    except (dkim.DKIMException, TimeoutError) as error:
        raise DemoFailedError(f"DKIM: fail ({error})") from error
    if not passed:
        raise DemoFailedError("DKIM: fail (the signature is not of this key, or of another content)")
    signed = {key: verifier.signature_fields[key].decode() for key in (b"d", b"s", b"a")}
    if (signed[b"d"], signed[b"s"]) != (SENDER_DOMAIN, SELECTOR):
        raise DemoFailedError(
            f"DKIM: signed by d={signed[b'd']} s={signed[b's']}, not by d={SENDER_DOMAIN} s={SELECTOR}"
        )
    return f"DKIM: pass (d={signed[b'd']} s={signed[b's']}, {signed[b'a']})"


def header_lines(content: bytes) -> list[str]:
    """The lines of the fields that tell where a message came from and who signed it, as they stand."""
    raw = [
        field.raw.decode("utf-8", "backslashreplace") for field in split_header(content).fields if field.name in SHOWN
    ]
    return [line for field in raw for line in field.splitlines()]
