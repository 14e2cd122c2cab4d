"""Run the command line: python -m oauthkit COMMAND.

In a directory that is not trusted, use the console script, oauthkit COMMAND. To find this module,
Python imports a package named oauthkit and some standard modules, such as contextlib, from the
current directory. It does so before it runs the first line below.
"""

# Do not import plumbum.py or json.py from the current directory: `-m` puts it first in sys.path,
# unless safe_path (3.11) or -I is set or the directory no longer exists. Python has already
# loaded os.
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
