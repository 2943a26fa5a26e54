"""The foreign APIs that Loci speaks, so that their clients work by changing the base URL and the key.

To add one: a module here with a `Dialect` and a blueprint, and a line below; CONTRIBUTING.md says what belongs in it.
"""

from flask import Blueprint

from app.compat import agentmemo, agentmemo_discovery, azen, sendryx
from app.dialects import Dialect

DIALECTS: tuple[Dialect, ...] = (azen.Azen(), agentmemo.DIALECT, sendryx.SENDRYX)
ADAPTERS: tuple[Blueprint, ...] = (
    azen.pages,
    azen.blueprint,
    *agentmemo_discovery.BLUEPRINTS,
    sendryx.blueprint,
    sendryx.public,
)
