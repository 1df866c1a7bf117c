"""What the tests of the composed house share."""

import pytest

from tests.site.serving import Installation, install, seed


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A new city with one operator, `kim`: copied, never used itself."""
    home = install(tmp_path_factory.mktemp("template") / "city")
    seed(home)
    return home
