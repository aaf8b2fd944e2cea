"""Sends alerts to people through apprise: a short-lived child, so that neither its weight nor a slow server is ours.

`python -m services.supervision.notifying`: a JSON object on stdin, `{"title": "...", "letters": [{"url": "...", "body": "..."}, ...]}`.
Prints the number (0, 1 ...) of each letter that was taken, when it was; not of one whose URL is of no known kind. The URLs,
which hold secrets, are never printed.
"""

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed

import apprise


def main() -> None:
    """Send what is on stdin, all letters at the same time."""
    wanted = json.load(sys.stdin.buffer)
    letters = wanted["letters"]
    with ThreadPoolExecutor(len(letters)) as threads:
        sendings = {threads.submit(_send, wanted["title"], letter): number for number, letter in enumerate(letters)}
        for sending in as_completed(sendings):
            if sending.result():
                sys.stdout.write(f"{sendings[sending]}\n")
                sys.stdout.flush()


def _send(title: str, letter: Mapping[str, str]) -> bool:
    people = apprise.Apprise()
    return people.add(letter["url"]) and bool(people.notify(title=title, body=letter["body"]))


if __name__ == "__main__":
    main()
