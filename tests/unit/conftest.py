"""A small world and a run on it, made once for all tests that only read them."""

import pytest


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    import made  # with PyTorch: seconds that other tests do not want

    folder = tmp_path_factory.mktemp("world")
    made.make(folder)
    return folder


@pytest.fixture(scope="session")
def done(world, tmp_path_factory):
    """A run whose decoders are trained."""
    import made

    run = made.run_of(world, tmp_path_factory.mktemp("store"))
    for row in run.strategies("folder"):
        if row.group != "control":
            run.captions("folder", row.name, 0)
    return run
