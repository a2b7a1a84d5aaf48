"""Whether a server is there at all, and which model it offers, before anything is measured."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from headrace.errors import ConfigError

# Whoever does not even answer what it has within this time is not there.
PATIENCE = 10.0
_LARGEST = 4 << 20


def models(url: str, key: str | None = None, *, timeout: float = PATIENCE) -> list[str]:
    """The models that a server lists; empty where it lists none, whatever it answers otherwise.

    Args:
        url: as http://127.0.0.1:8080/v1.
        key: the bearer key, if any.
        timeout: seconds.

    Raises:
        ConfigError: the URL is none, or nobody answers there: refused, unknown, untrusted, silent.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"the target is {url!r}: give a URL as http://127.0.0.1:8080/v1")
    request = urllib.request.Request(f"{url.rstrip('/')}/models")
    if key:
        request.add_header("authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            listed = json.loads(reply.read(_LARGEST))
        return [str(row["id"]) for row in listed["data"]]
    except urllib.error.HTTPError as error:
        # It is there; what it lacks, the scenarios say.
        error.close()
        return []
    except (OSError, http.client.HTTPException) as error:
        raise ConfigError(_why(url, error, timeout)) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _why(url: str, error: Exception, timeout: float) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"{url} has a certificate that is not trusted ({reason.verify_message}): set SSL_CERT_FILE to its authority's"
    if isinstance(reason, TimeoutError):
        return f"{url} does not answer within {timeout:.0f} s: see whether it runs"
    return f"{url} cannot be reached ({reason}): see whether it runs, and whether the URL is right"
