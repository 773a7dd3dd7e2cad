"""`realtime openapi`: the interface as a document, without a daemon."""

import click

from realtime import __version__


@click.command()
def command() -> None:
    """Print the interface for readers as an OpenAPI 3.1 document.

    A running daemon answers the same at /openapi.json; /docs shows it and runs calls.
    """
    # `--help` must not pay for the HTTP library.
    from realtime.api.routes import openapi_document  # noqa: PLC0415 - as above

    click.echo(openapi_document(__version__))
