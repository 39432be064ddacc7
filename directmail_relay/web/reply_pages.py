"""What the page behind a verification link says, in Chinese and English. Placeholders get escaped text alone."""

from __future__ import annotations

PAGE = """\
<!DOCTYPE html>
<html lang="zh">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>验证回信地址 / Verify a reply address</title>
</head>
<body>
{body}
</body>
</html>
"""

QUESTION = """\
<h1>验证回信地址</h1>
<p>发信地址 <b>{address}</b> 的收件人回信将转到 <b>{mailbox}</b>。</p>
<h1 lang="en">Verify a reply address</h1>
<p lang="en">Replies to mail from <b>{address}</b> will go to <b>{mailbox}</b>.</p>
<form method="post" action="{action}">
<input type="hidden" name="ticket" value="{ticket}">
<p><button type="submit">确认 / Confirm</button></p>
</form>
<p>如果您不知情,请关闭此页面。<span lang="en">If you know nothing about this, close this page.</span></p>"""

DONE = """\
<h1>验证成功</h1>
<p>发信地址 <b>{address}</b> 的回信地址已通过验证。</p>
<h1 lang="en">Verified</h1>
<p lang="en">The reply address of <b>{address}</b> has been verified.</p>"""

NOT_VALID = """\
<h1>链接无效</h1>
<p>该链接不存在、已使用或已过期。链接 10 分钟内有效,且只能使用一次。请让发信方重新发送验证邮件。</p>
<h1 lang="en">This link is not valid</h1>
<p lang="en">It does not exist, was used already, or is too old: a link lives for ten minutes and works once.
Have a new verification mail sent.</p>"""

SLOW_DOWN = """\
<h1>请求过于频繁</h1>
<p>请一分钟后再试。</p>
<h1 lang="en">Too many requests</h1>
<p lang="en">Please try again in a minute.</p>"""

TROUBLE = """\
<h1>暂时无法处理</h1>
<p>请过几分钟再次打开邮件中的链接。</p>
<h1 lang="en">Not just now</h1>
<p lang="en">Please open the link in the mail again in a few minutes.</p>"""
