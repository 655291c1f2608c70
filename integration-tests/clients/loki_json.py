"""Logs through python-logging-loki, which pushes JSON, to the address in argv[1]."""

import logging

import sys

import logging_loki

handler = logging_loki.LokiHandler(
    url=f"{sys.argv[1]}/loki/api/v1/push", tags={"application": "python"}, version="1"
)
# What goes wrong while sending must end the program.
handler.handleError = lambda record: sys.exit(1)
logger = logging.getLogger("client")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
for n in range(20):
    logger.warning("line %d of \u00fcber \"quoted\" \\ text", n, extra={"tags": {"number": str(n % 2)}})
