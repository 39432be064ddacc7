"""The durable state of the path: what was accepted, who delivers it, what became of it.

Every function here is plain SQL on a connection; who calls it decides about threads and transactions.
"""
