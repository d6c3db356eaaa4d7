"""What all commands understand on their command line."""

import json

import click
import pytest
from click.testing import CliRunner

from controller.options import ListsCommand


@click.command(cls=ListsCommand)
@click.option("--seeds", multiple=True, type=click.IntRange(0))
@click.option("--budget", "budgets", multiple=True, type=float)
@click.option("--weight", type=float)
@click.option("-q", "--quiet", is_flag=True)
def lists(**options):
    click.echo(json.dumps(options))


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ("--seeds 0 1 --seeds 2 -q", {"seeds": (0, 1, 2), "quiet": True}),
        ("--budget 3 -1 -q", {"budgets": (3.0, -1.0), "quiet": True}),
        ("--budget -.1 -1e-3 --seeds 1", {"budgets": (-0.1, -0.001), "seeds": (1,)}),
        ("--weight -2 --budget 1", {"weight": -2.0, "budgets": (1.0,)}),
    ],
)
def test_numbers_below_0_are_values(arguments, given):
    result = CliRunner().invoke(lists, arguments)
    assert result.exit_code == 0, result.output
    expected = {"seeds": (), "budgets": (), "weight": None, "quiet": False} | given
    assert json.loads(result.output) == json.loads(json.dumps(expected))


def test_the_type_says_what_is_wrong_with_a_number():
    assert "-1 is not in the range x>=0" in CliRunner().invoke(lists, "--seeds 0 -1").output
    assert "No such option" in CliRunner().invoke(lists, "--seeds 0 -x").output
