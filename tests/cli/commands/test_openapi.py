import msgspec
from click.testing import CliRunner

from realtime import __version__
from realtime.cli import group


def test_it_prints_the_description() -> None:
    """The same that a daemon answers."""
    result = CliRunner().invoke(group, ["openapi"])
    assert result.exit_code == 0
    assert msgspec.json.decode(result.output)["info"]["version"] == __version__
