"""`realtime openapi`: the HTTP interface as a document, without a daemon."""

import click

from realtime import __version__


@click.command()
def command() -> None:
    """Print the HTTP interface as an OpenAPI 3.1 document.

    A running daemon serves the same at /openapi.json; /docs shows it and sends requests.
    """
    # `--help` must not import the HTTP library.
    from realtime.api.routes import openapi_document  # noqa: PLC0415 - as above

    click.echo(openapi_document(__version__, has_market=True))
