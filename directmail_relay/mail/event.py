"""The final event of a recipient: the row of the outbox that reports, statistics and notifications read.

Its fields are those of the guide's 异步通知消息参数列表; every recipient ends in exactly one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FinalEvent:
    """What became of a recipient. Times are POSIX seconds.

    `status` is 0 delivered, 2 invalid address, 3 spam in the receiver's eyes, 4 failed; `err_code` and
    `err_msg` are the last reply's. `suppress` is what that reply means for the address: yes, no or after_retries.
    """

    env_id: int
    rcpt_index: int
    msg_id: str
    account: str
    mail_from: str
    rcpt: str
    recv_time: float
    end_time: float
    status: int
    err_code: int
    err_msg: str
    category: str
    rule: str
    attempts: int
    tag: str | None = None
    suppress: str = "no"
