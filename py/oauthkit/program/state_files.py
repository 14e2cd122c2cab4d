"""Names of the log, and of the files beside it in which a run stores state for later runs."""

from __future__ import annotations

LOG = "oauth-refresh.log"
LOCK = "oauth-refresh.lock"
# From the first failed run to the next successful one. It has the kind of failure.
FAILING = "oauth-refresh.failing"
# The end of the login for which the hook login-ending last ran.
LOGIN_ENDING = "oauth-refresh.login-ending"
# Of a follower: the expiry of the last delivered token, and "warned" if the warning was logged.
FOLLOWED = "oauth-refresh.followed"
# Of a follower: the expiry of the last token that the API rejected.
REJECTED_EXPIRY = "oauth-refresh.rejected"
# Of a follower: the store's revision, from which it waits for changes.
REVISION = "oauth-refresh.revision"

NAMES = (LOG, f"{LOG}.1", LOCK, FAILING, LOGIN_ENDING, FOLLOWED, REJECTED_EXPIRY, REVISION)
