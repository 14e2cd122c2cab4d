"""How a token gets from the hosts with a login to the other hosts' agents."""

from __future__ import annotations

from tools.pictures.room import LEFT, MARGIN, RIGHT, WIDTH, Plan, Room
from tools.pictures.token_life import Edge

ROWS = ((20, 84), (156, 84), (292, 84), (428, 64))  # top and height of each row
WIDE = WIDTH - 2 * MARGIN
FIRST, SECOND = LEFT + 125, RIGHT + 125  # where the arrows are
PLAN = Plan(
    "How several hosts share live tokens",
    "Host alpha and host beta each have a login of their own, which their refresh renews. Their"
    " refresh tokens never leave them. Each publishes its access token as one record in a store."
    " Host gamma and host delta have no login. They follow the store: each delivers a live token"
    " to .env and the bearer file. Agents in containers use it. If alpha fails, the followers"
    " use beta's token.",
    512,
    (
        Room("busy", "Host alpha", ("Has a login. Its refresh", "token never leaves it"),
             LEFT, ROWS[0]),
        Room("busy", "Host beta", ("Has another login, also", "with a refresh of its own"),
             RIGHT, ROWS[0]),
        Room("soon", "Store",
             ("One record for each host with a login: the access token and",
              "its expiry. If alpha fails, followers use beta's token"),
             LEFT, ROWS[1], WIDE),
        Room("good", "Host gamma", ("Has no login. It delivers a", "live token from the store"),
             LEFT, ROWS[2]),
        Room("good", "Host delta", ("Has no login, either. There", "may be any number of them"),
             RIGHT, ROWS[2]),
        Room("good", "Agents in containers",
             ("New ones read .env, running ones read the bearer file again",),
             LEFT, ROWS[3], WIDE),
    ),
    (
        Edge(((FIRST, 104), (FIRST, 154)), (FIRST + 12, 134), ("publishes",)),
        Edge(((SECOND, 104), (SECOND, 154)), (SECOND + 12, 134), ("publishes",)),
        Edge(((FIRST, 240), (FIRST, 290)), (FIRST + 12, 270), ("is read by",)),
        Edge(((SECOND, 240), (SECOND, 290)), (SECOND + 12, 270), ("is read by",)),
        Edge(((FIRST, 376), (FIRST, 426)), (FIRST + 12, 406), ("delivers",)),
        Edge(((SECOND, 376), (SECOND, 426)), (SECOND + 12, 406), ("delivers",)),
    ),
)  # fmt: skip
