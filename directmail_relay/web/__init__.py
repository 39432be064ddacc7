"""HTTP: metrics and health today; the API, the console and tracking will stand beside them."""
