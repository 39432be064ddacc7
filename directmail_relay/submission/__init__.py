"""The doors through which mail comes in: the SMTP front end, and `accept`, the one way into the queue."""
