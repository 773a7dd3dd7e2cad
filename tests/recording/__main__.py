"""`scripts/record FILE`: record a paper account. Keys: APCA_API_KEY_ID, APCA_API_SECRET_KEY."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import aiohttp

from tests.recording.recorder import Recorder, write

PAPER = "https://paper-api.alpaca.markets"


def main() -> int:
    """Record; the exit code is 0 when the file was written, 2 when it was not."""
    parser = argparse.ArgumentParser(prog="scripts/record", description=__doc__)
    parser.add_argument("file", type=Path, help="the recording, one JSON object per line")
    parser.add_argument("--url", default=PAPER, help=f"the broker (default {PAPER})")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--trade", action="store_true", help="place a few orders for one share")
    options = parser.parse_args()
    key_id, secret = (os.environ.get(f"APCA_API_{name}", "") for name in ("KEY_ID", "SECRET_KEY"))
    if not key_id or not secret:
        print("set APCA_API_KEY_ID and APCA_API_SECRET_KEY to a paper account's", file=sys.stderr)
        return 2
    try:
        lines = asyncio.run(
            Recorder(options.url, key_id, secret).record(options.seconds, trades=options.trade)
        )
    except (ValueError, OSError, TimeoutError, aiohttp.ClientError) as error:
        print(f"nothing recorded: {error}", file=sys.stderr)
        return 2
    write(options.file, lines)
    print(f"{len(lines)} entries in {options.file}; keys and identities are removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
