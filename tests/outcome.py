"""A call of the command line within this process: a start costs a second, a call does not."""

from typer.testing import CliRunner

from symgd.cli.app import app


class Outcome:
    """What one call left behind."""

    def __init__(self, *args: str, stdin: str | bytes | None = None) -> None:
        result = CliRunner().invoke(app, list(args), input=stdin, prog_name="symgd")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.code = result.exit_code
        self.out = result.stdout
        self.err = result.stderr
