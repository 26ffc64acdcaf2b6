"""A submission server that takes everything and keeps nothing, so that only the client costs time.

    python -m tests.benchmarks.submission CERTIFICATE|- [SECONDS]

It speaks implicit TLS, or plain text without a certificate, on a port of loopback that it prints, and serves until its
standard input ends. It takes so many seconds for each mail.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from functools import partial

from tests.servers.loopback import LOOPBACK, free_port

_EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 30000000\r\n250 AUTH PLAIN\r\n"
_ANSWERS = {b"EHLO": _EHLO, b"AUTH": b"235 2.7.0 ok\r\n", b"DATA": b"354 go ahead\r\n"}


async def _serve(
    seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"220 sink ESMTP\r\n")
    while line := await reader.readline():
        verb = line[:4].upper()
        if verb == b"QUIT":
            break
        writer.write(_ANSWERS.get(verb, b"250 2.0.0 ok\r\n"))
        if verb == b"DATA":
            await reader.readuntil(b"\r\n.\r\n")
            await asyncio.sleep(seconds)
            writer.write(b"250 2.0.0 queued\r\n")
    writer.close()


async def _main(certificate: str, seconds: float) -> None:
    context = None
    if certificate != "-":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    port = free_port()
    server = await asyncio.start_server(
        partial(_serve, seconds), LOOPBACK, port, ssl=context, limit=2**24
    )
    print(port, flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.read)
        server.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.0))
