"""Whose certificates are trusted: those of this machine, or Mozilla's where Python finds none of the machine's."""

import os
import ssl


def trusting() -> ssl.SSLContext:
    """Return the TLS context for a connection to the exchange.

    Python as python.org installs it on a Mac has no certificates until 'Install Certificates.command' was run. Whoever
    sets `SSL_CERT_FILE` or `SSL_CERT_DIR` decides himself.
    """
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    has_own = bool(paths.cafile or paths.capath or context.cert_store_stats()["x509_ca"])
    if not has_own and not any(name in os.environ for name in (paths.openssl_cafile_env, paths.openssl_capath_env)):
        import certifi  # noqa: PLC0415 - nearly nobody needs it

        context.load_verify_locations(certifi.where())
    return context
