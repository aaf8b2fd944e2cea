"""The way to the exchange's REST: straight, or through the proxy that the environment names; TLS verified, never sent elsewhere."""

from urllib.request import BaseHandler, HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, build_opener

from services.feed.route_ws import proxy_for
from services.feed.trust_file import trusting


def opener_to(url: str) -> OpenerDirector:
    """Return what asks an URL and those below it."""
    handlers: list[BaseHandler] = [_NoRedirects()]
    if not proxy_for(url):
        handlers.append(ProxyHandler({}))
    if url.startswith("https:"):
        handlers.append(HTTPSHandler(context=trusting()))
    return build_opener(*handlers)


class _NoRedirects(HTTPRedirectHandler):
    """The exchange does not send us elsewhere; what does is somebody else (a hotel's login page)."""

    def redirect_request(self, *_arguments: object) -> None:
        """Refuse: the answer counts as an error."""
