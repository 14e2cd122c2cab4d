"""Run the command line: python -m oauthkit COMMAND."""

# `-m` puts the current directory first in sys.path, unless safe_path (3.11) or -I forbids it: a
# plumbum.py or json.py there would run. Python itself has loaded os by now. Python adds nothing
# if the current directory is gone.
import os
import sys

if not getattr(sys.flags, "safe_path", sys.flags.isolated):
    try:
        is_added = sys.path[0] == os.getcwd()  # noqa: PTH109 - pathlib is not loaded yet
    except OSError:
        is_added = False
    if is_added:
        del sys.path[0]

from .cli import main

main()
