"""A GitHub on your own machine, with state: for the demo, for tests and for trying a configuration.

`python -m sandbox up` starts it; `with sandbox.serve() as github:` does the same inside a test. It knows
nothing of the product that talks to it, so that it can be its judge.
"""

from sandbox.faults import Fault
from sandbox.scenario import load
from sandbox.serving import Sandbox, serve

__all__ = ["Fault", "Sandbox", "load", "serve"]
