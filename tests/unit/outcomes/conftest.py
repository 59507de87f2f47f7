"""Lets the tests of this room share their builders."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def build():
    """Return the builders' module."""
    spec = importlib.util.spec_from_file_location("outcome_builders", Path(__file__).with_name("builders.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
