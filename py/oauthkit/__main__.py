"""python -m oauthkit"""

from .cli import main

main()
