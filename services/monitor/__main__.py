"""`python -m services.monitor`: the bare monitor."""

from services.monitor.process import compose
from services.runner import main

if __name__ == "__main__":
    main("monitor", compose)
