"""The parts of the package: which are handwritten, which are generated, and which compare them."""

from __future__ import annotations

from tools.pictures.room import LEFT, MARGIN, RIGHT, WIDTH, Plan, Room
from tools.pictures.token_life import Edge

ROWS = ((20, 84), (150, 84), (262, 84), (378, 78))  # top and height of each row
PLAN = Plan(
    "The architecture of oauthkit",
    "The refresh is written once, in program, in a dialect of Python. CPython runs it, with the"
    " Python half of the runtime library, shell.py. That is oauthkit refresh. The compiler reads"
    " the same text and generates scripts/oauth/refresh.sh, which contains the bash half,"
    " shell.bash. parity runs both forms and compares everything that they do. host, the"
    " operator's commands, imports the program.",
    476,
    (
        Room("busy", "program/", ("The refresh, written once in", "the dialect: Python on plumbum"),
             150, ROWS[0], 300),
        Room("good", "shell.py", ("The Python half of the", "runtime library"), LEFT, ROWS[1]),
        Room("soon", "compiler/", ("Reads the program's text:", "loader, sema, lowering"),
             RIGHT, ROWS[1]),
        Room("good", "oauthkit refresh", ("The Python form. host/ has", "the operator's commands"),
             LEFT, ROWS[2]),
        Room("soon", "refresh.sh", ("The bash form. It contains", "the half in shell.bash"),
             RIGHT, ROWS[2]),
        Room("failing", "parity/",
             ("Runs both forms with stand-ins, and compares all that they do",),
             LEFT, ROWS[3], WIDTH - 2 * MARGIN),
    ),
    (
        Edge(((LEFT + 175, 104), (LEFT + 175, 148)), (LEFT + 165, 132), ("imports",), "end"),
        Edge(((RIGHT + 75, 104), (RIGHT + 75, 148)), (RIGHT + 87, 132), ("is read by",)),
        Edge(((LEFT + 125, 234), (LEFT + 125, 260)), (LEFT + 137, 252), ()),
        Edge(((RIGHT + 125, 234), (RIGHT + 125, 260)), (RIGHT + 137, 252), ("generates",)),
        Edge(((LEFT + 125, 376), (LEFT + 125, 348)), (LEFT + 137, 366), ("starts",)),
        Edge(((RIGHT + 125, 376), (RIGHT + 125, 348)), (RIGHT + 137, 366), ("starts",)),
    ),
)  # fmt: skip
