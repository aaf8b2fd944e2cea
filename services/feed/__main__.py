"""`python -m services.feed`: the bare feed."""

from services.feed.process import compose
from services.runner import main

if __name__ == "__main__":
    main("feed", compose, has_threads=True)
