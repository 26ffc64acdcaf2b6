"""Notes when a server is asked to take the text of a mail, and by which account, as Postfix's policy protocol tells.

    python -m tests.benchmarks.handovers FILE

It prints a port of loopback for ``smtpd_data_restrictions``, permits everything, and serves until its standard
input ends. Each line of the file is a time in seconds since 1970 and the account that had signed in.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TextIO

from tests.servers.loopback import LOOPBACK, free_port


async def _serve(file: TextIO, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.CancelledError):
        await _note(file, reader, writer)
    writer.close()


async def _note(file: TextIO, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    account = ""
    while line := (await reader.readline()).decode():
        name, _, value = line.rstrip("\n").partition("=")
        if name == "sasl_username":
            account = value
        elif not name:
            file.write(f"{time.time():.4f} {account}\n")
            file.flush()
            writer.write(b"action=dunno\n\n")
            account = ""


async def _main(file: TextIO) -> None:
    port = free_port()
    server = await asyncio.start_server(partial(_serve, file), LOOPBACK, port)
    print(port, flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.read)
        server.close()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w", encoding="utf-8") as noted:
        asyncio.run(_main(noted))
