"""Sends alerts to people through apprise: a short-lived child, so that neither its weight nor a slow server is ours.

`python -m services.supervision.notifying`: a JSON object on stdin, `{"urls": [...], "title": "...", "body": "..."}`. Exit 0 when all
of them took it, 1 when one did not; the URLs, which hold secrets, are never printed.
"""

import json
import sys

import apprise


def main() -> int:
    """Send what is on stdin."""
    wanted = json.load(sys.stdin)
    people = apprise.Apprise()
    known = [people.add(url) for url in wanted["urls"]]
    sent = people.notify(title=wanted["title"], body=wanted["body"])
    if not all(known):
        sys.stderr.write(f"{known.count(False)} of {len(known)} alert_urls are of no known kind\n")
    return 0 if sent and all(known) else 1


if __name__ == "__main__":
    sys.exit(main())
