"""Format a project's state as JSON, in the schema of docs/status.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oauthkit.host.status.coverage import SPAN_S
from oauthkit.host.status.failures import fix_of
from oauthkit.host.status.warnings import warnings

if TYPE_CHECKING:
    from oauthkit.host.status.login import Dotenv
    from oauthkit.host.status.model import Status
    from oauthkit.host.status.store import Store

# Increase this with each incompatible change of the schema.
SCHEMA_VERSION = 1


def to_json(status: Status) -> dict[str, Any]:
    """Return the state in the schema of docs/status.md."""
    return {
        "version": SCHEMA_VERSION,
        "live": status.is_live,
        "now_s": status.now_s,
        "token": {
            "problem": status.login.problem or None,
            "expires_at_s": status.login.expires_at_s,
            "left_s": status.left_s,
        },
        "dotenv": {
            "path": str(status.paths.dotenv),
            "problem": status.dotenv.problem or None,
            "carries_token": status.is_delivered,
            "tokens": len(status.dotenv.tokens),
            "other_spellings": status.dotenv.other_spellings,
            "is_manual": status.is_manual_token,
        },
        "bearer": {
            "path": None if status.paths.bearer is None else str(status.paths.bearer),
            "problem": None if status.bearer is None else status.bearer.problem or None,
            "carries_token": status.bearer_carries_token,
        },
        "settings": [
            {"name": x.name, "value": x.value, "origin": x.origin}
            for x in status.paths.changed_settings
        ],
        "next_run": {
            "unit": status.next_timer.unit if status.next_timer else None,
            "at_s": status.next_run_s,
            "timers": len(status.schedule.timers),
            "foreign_timer": status.foreign_timer or None,
            "is_running": status.is_running,
            "by_cron": status.relies_on_cron,
            "problem": status.manager_problem or None,
        },
        "store": None
        if status.store is None
        else _store(status.store, status.dotenv, status.now_s, follows=status.is_follower)
        | {"unit": status.follower.unit if status.follower else None},
        "last_renewal_s": status.last_renewal_s,
        "last_error": None
        if status.failure is None
        else {
            "at_s": status.failure.at_s,
            "text": status.failure.text,
            "output": status.failure.output,
            "fix": fix_of(status.failure, status.paths),
        },
        "failing_since_s": status.failing_since_s,
        "login": {
            "ends_at_s": status.login.login_ends_at_s,
            "left_s": status.login_left_s,
        },
        "coverage": {
            "span_s": SPAN_S,
            "known_s": status.coverage.until_s - status.coverage.from_s,
            "share": status.coverage.share,
        },
        "warnings": warnings(status),
    }


def _store(store: Store, dotenv: Dotenv, now_s: float, *, follows: bool) -> dict[str, Any]:
    """Return the store in the schema of docs/status.md. Tokens are not included."""
    return {
        "url": store.url,
        "problem": store.problem or None,
        "follows": follows,
        "host": store.host or None,
        "published_at_s": store.own.issued_at_s if store.own else None,
        "records": [
            {
                "host": record.host,
                "expires_at_s": record.expires_at_s,
                "left_s": record.expires_at_s - now_s,
                "issued_at_s": record.issued_at_s,
                "usable": record.is_usable(now_s),
                "used": record.is_in(dotenv),
                "encrypted": record.is_encrypted,
            }
            for record in store.records
        ],
        "errors": [*store.errors],
    }
