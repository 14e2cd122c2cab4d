"""Format a project's state as metrics, for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oauthkit.console import printable

if TYPE_CHECKING:
    from oauthkit.host.status.model import Status

# Names and help texts. Unknown values have no line.
_GAUGES = (
    ("live", "Whether .env has a live access token"),
    ("token_expiry_seconds", "When the access token expires, since the epoch"),
    ("dotenv_carries_token", "Whether .env has the credentials' access token"),
    ("next_run_seconds", "When the next refresh is due, since the epoch"),
    ("last_renewal_seconds", "When claude last renewed the token, since the epoch"),
    ("failing_since_seconds", "Since when refreshes fail, since the epoch"),
    ("login_end_seconds", "When the login itself ends, since the epoch"),
    ("store_reachable", "Whether the store can be read"),
    ("store_usable_records", "Number of the store's records with a token that can be delivered"),
    ("store_published_seconds", "When this host's record was published, since the epoch"),
    ("coverage_ratio", "Share of the last 7 days in which .env had a live token"),
)


def exposition(status: Status) -> str:
    """Return the metrics, each with the project as a label (prometheus.io, Exposition formats)."""
    values: dict[str, float | bool | None] = {
        "live": status.is_live,
        "token_expiry_seconds": status.login.expires_at_s,
        "dotenv_carries_token": status.is_delivered,
        "next_run_seconds": status.next_run_s,
        "last_renewal_seconds": status.last_renewal_s,
        "failing_since_seconds": status.failing_since_s,
        "login_end_seconds": status.login.login_ends_at_s,
        "coverage_ratio": status.coverage.share,
    }
    if status.store is not None:
        own, records = status.store.own, status.store.records
        values |= {
            "store_reachable": not status.store.problem,
            "store_usable_records": sum(record.is_usable(status.now_s) for record in records),
            "store_published_seconds": own.issued_at_s if own else None,
        }
    project = str(status.paths.project).encode("utf-8", "replace").decode()
    label = printable(project.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n"))
    lines = []
    for name, help_text in _GAUGES:
        value = values.get(name)
        if value is not None:
            metric = f"oauthkit_{name}"
            lines += [f"# HELP {metric} {help_text}", f"# TYPE {metric} gauge"]
            lines.append(f'{metric}{{project="{label}"}} {float(value)!r}')
    return "\n".join(lines) + "\n"
