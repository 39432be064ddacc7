"""The way out: from recipients that are due to the hosts that take their mail, over SMTP.

Read in this order: courier (one destination) → itinerary (which hosts) → smtp_client (a session) → transaction (a
message in it) → dialogue, connection, remote_reply (lines, octets, replies). What happens is always a value.
"""
