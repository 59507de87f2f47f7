"""The operator's door: `gateway …` on the command line.

Exit codes, everywhere the same:
    0  done          1  something was refused or does not add up (said on the screen)
    2  wrong usage   3  the database cannot be reached        4  a setting, a data file or the installation is wrong
"""

from __future__ import annotations

from gateway.cli.main import main

__all__ = ["main"]
