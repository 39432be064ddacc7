"""What the relay says about itself: log lines, metrics, and its state to systemd.

`logs` and `systemd` import no metric library, so that a parent process can choose where the metrics of its workers
lie (`metrics_directory`) before anything declares one.
"""
