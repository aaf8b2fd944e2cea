"""`python -m services.broker`: the bare broker."""

from services.broker.process import compose
from services.runner import main

if __name__ == "__main__":
    main("broker", compose)
