"""Deployments that a test starts itself, and that end with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deployment import ROOT, Deployment, environment_for, own_database


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Start Winnow: ``deploy("--pipeline-workers", "2", LEARN_MIN_EVENTS="300")``."""
    running: list[Deployment] = []
    with own_database() as database:

        def start(*arguments: str, directory: Path = ROOT, **variables: str) -> Deployment:
            environment = environment_for(tmp_path, database, **variables)
            running.append(Deployment(environment, arguments, directory))
            return running[-1]

        yield start
        for deployment in running:
            deployment.close()
