"""Run the command line: python -m oauthkit COMMAND.

In an untrusted directory, use the console script, oauthkit COMMAND. Before Python runs the first
line below, it looks for the package oauthkit and for some standard modules, such as contextlib, in
the current directory first.
"""

# Keep Python from importing plumbum.py or json.py from the current directory: `-m` puts it first in
# sys.path, unless safe_path (3.11) or -I is set or the directory no longer exists. Importing os is
# safe, because Python has already loaded it.
import os
import sys

if not getattr(sys.flags, "safe_path", sys.flags.isolated):
    try:
        is_added = sys.path[0] == os.getcwd()  # noqa: PTH109 - pathlib is not loaded yet
    except OSError:
        is_added = False
    if is_added:
        del sys.path[0]

from oauthkit.cli import main

main()
