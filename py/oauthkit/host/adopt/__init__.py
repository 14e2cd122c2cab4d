"""Move NanoClaw checkouts to this refresh."""
