"""The table of scenarios: one module per kind of fault, each a tuple of worlds."""

from __future__ import annotations

from tests.net.scenario import World
from tests.net.worlds.answering import ANSWERING
from tests.net.worlds.deciding import DECIDING
from tests.net.worlds.dialling import DIALLING
from tests.net.worlds.greeting import GREETING
from tests.net.worlds.here import HERE
from tests.net.worlds.naming import NAMING
from tests.net.worlds.proxied import PROXIED
from tests.net.worlds.sabotaged import SABOTAGED

WORLDS: tuple[World, ...] = (
    *HERE,
    *NAMING,
    *DIALLING,
    *GREETING,
    *ANSWERING,
    *DECIDING,
    *PROXIED,
    *SABOTAGED,
)
