"""Every reply that we say ourselves, in one table: the guide's texts, verbatim, and ours where it has none.

No enhanced codes are added (ENHANCEDSTATUSCODES is not offered), and no text of an error ever gets in here.
docs/replies.md lists the same table and is tested against it.
"""

from __future__ import annotations

from directmail_relay.mail.reply import Origin, Reply


def _local(code: int, text: str, enhanced: str | None = None) -> Reply:
    return Reply(code, text, enhanced, Origin.LOCAL)


# The guide's telnet session (使用 SMTP 发送邮件, 示例).
BYE = _local(221, "Bye")
AUTH_OK = _local(235, "Authentication successful")
HELO_OK = _local(250, "{hostname}")
MAIL_OK = _local(250, "Mail Ok")
RCPT_OK = _local(250, "Rcpt Ok")
DATA_OK = _local(250, "Data Ok: queued as freedom ###envid={env_id}")
ASK_USERNAME = _local(334, "dXNlcm5hbWU6")
ASK_PASSWORD = _local(334, "UGFzc3dvcmQ6")
SEND_DATA = _local(354, "End data with <CR><LF>.<CR><LF>")

# The guide's 常见邮件推送退信代码.
AUTH_FAILED = _local(535, "Authentication failure.")
ACCOUNT_UNAVAILABLE = _local(551, "Main account unavailable")
MONTHLY_QUOTA = _local(552, "Monthly sending quota exceeded")
DAILY_QUOTA = _local(552, "Daily sending quota exceeded")
TOTAL_QUOTA = _local(552, "Not enough sending quota")
CONTENT_SPAM = _local(554, "Reject by content spam")
TOO_MANY_RCPTS = _local(556, "The number of RCPTs is over size")
TOO_LARGE = _local(557, "The length of DATA content is achieved the maximum threshold")
INVALID_RCPT = _local(559, "Invalid rcptto")

# Local events of delivery, with the guide's own codes (MX 解析查询失败, 连接失败, 网络异常).
DELIVERED = _local(250, "Send Mail OK")
CONNECTION_CUT = _local(400, "the mta server of unexpected closed")
DNS_ERROR = _local(423, "Dns resolve error")
UNREACHABLE = _local(427, "Socks Connect to UNREACHABLE host")
NO_SUCH_DOMAIN = _local(524, "Host not found by dns resolve")
NO_DATA = _local(526, "No data by dns resolve")
DROPPED = _local(554, "Dropped by the operator")

# Local events of delivery that the guide has no word for: they stand in the attempt as a host's reply would.
# 400 as CONNECTION_CUT: in both cases the conversation ended where it should not have.
NOT_SMTP = _local(400, "Protocol error: the host's reply is not SMTP", "4.5.0")
OUT_OF_STEP = _local(400, "Protocol error: the host's reply does not belong to the command", "4.5.0")
# Temporary: a certificate is renewed, a broken proxy repaired, before the lifetime ends (RFC 3207 §4.1: 454).
TLS_FAILED = _local(454, "TLS is required for this destination, but STARTTLS was not offered or failed", "4.7.0")
# RFC 1870 §6.1 and RFC 6531 §3.5: the codes that a host would use if we tried.
TOO_LARGE_FOR_HOST = _local(552, "Message size exceeds the fixed maximum that the host announced", "5.3.4")
NO_SMTPUTF8 = _local(550, "The message needs SMTPUTF8 and the host does not offer it", "5.6.7")
LOOPS_BACK = _local(554, "The MX of the domain is this relay, which has no mailboxes: mail loop", "5.4.6")

# Ours, where the guide is silent (docs/design.md, "Decisions").
GREETING = _local(220, "{hostname} MX AliMail Server(127.0.0.1)")
READY_FOR_TLS = _local(220, "Ready to start TLS")
OK = _local(250, "Ok")
CANNOT_VRFY = _local(252, "Cannot VRFY user, but will accept message and attempt delivery")
HELP = _local(214, "Commands: AUTH DATA EHLO HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY")
AUTH_CONTINUE = _local(334, "")

TIMEOUT = _local(421, "Timeout, closing connection")
SHUTTING_DOWN = _local(421, "Service shutting down, closing connection")
TOO_MANY_CONNECTIONS = _local(421, "Too many connections, try again later")
TOO_MANY_AUTH_FAILURES = _local(421, "Too many failed logins, closing connection")
TOO_MANY_ERRORS = _local(421, "Too many errors, closing connection")
PIPELINED_AFTER_STARTTLS = _local(421, "Data after STARTTLS before the handshake, closing connection")
INTERNAL_ERROR = _local(451, "Requested action aborted: local error in processing")
RECIPIENTS_LATER = _local(452, "Too many recipients")
NO_ROOM = _local(452, "Insufficient system storage")
AUTH_RATE = _local(454, "Too many failed logins, try again later")

LINE_TOO_LONG = _local(500, "Line too long")
BAD_COMMAND = _local(500, "Command not recognized")
AUTH_LINE_TOO_LONG = _local(500, "Authentication exchange line too long")
BAD_PARAMETERS = _local(501, "Syntax error in parameters: {syntax}")
BAD_BASE64 = _local(501, "Cannot decode base64")
AUTH_ABORTED = _local(501, "Authentication aborted")
NOT_IMPLEMENTED = _local(502, "Command not implemented")
ALREADY_TLS = _local(503, "TLS already active")
ALREADY_AUTHENTICATED = _local(503, "Already authenticated")
AUTH_IN_TRANSACTION = _local(503, "AUTH not permitted during a mail transaction")
HELO_FIRST = _local(503, "Send HELO or EHLO first")
MAIL_FIRST = _local(503, "Need MAIL command")
RCPT_FIRST = _local(503, "Need RCPT command")
NESTED_MAIL = _local(503, "Nested MAIL command")
MECHANISM_UNKNOWN = _local(504, "Unrecognized authentication type")
AUTH_REQUIRED = _local(530, "Authentication required")
STARTTLS_FIRST = _local(530, "Must issue a STARTTLS command first")
AUTH_NEEDS_TLS = _local(538, "Encryption required for requested authentication mechanism")
BARE_LINE_END = _local(550, "Bare CR, bare LF or NUL in the message; lines end with <CR><LF>")
MAIL_LOOP = _local(550, "Too many Received fields: mail loop")
BAD_HEADERS = _local(550, "Malformed header section: {why}")
ADDRESS_LITERAL = _local(553, "Address literals are not accepted as recipients")
LOCAL_NAME = _local(553, "The recipient address needs a fully qualified domain")
BAD_ADDRESS = _local(553, "Malformed mailbox address")
NEEDS_SMTPUTF8 = _local(553, "This address needs SMTPUTF8")
SENDER_MISMATCH = _local(
    553, '"MAIL FROM" doesn\'t conform with authentication (Auth Account:{login}|Mail Account:{mail_from})'
)
HEADER_FROM_MISMATCH = _local(553, "Header From doesn't conform with authentication")
DOMAIN_UNAVAILABLE = _local(553, "Sending domain {domain} is not verified")
IP_NOT_ALLOWED = _local(554, "Client address {client_ip} is not in the IP whitelist of this account")
PARAMETER_UNKNOWN = _local(555, "MAIL or RCPT parameters not recognized or not implemented")


def fill(reply: Reply, **values: object) -> Reply:
    """The reply with its `{…}` filled in. The values are ours or were checked: printable, without line ends."""
    return Reply(reply.code, reply.text.format(**values), reply.enhanced, reply.origin)


def table() -> dict[str, Reply]:
    """All of the above by name, in their order here."""
    return {name: value for name, value in globals().items() if isinstance(value, Reply)}
