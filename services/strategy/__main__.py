"""`python -m services.strategy`: the bare strategy."""

from services.runner import main
from services.strategy.process import compose

if __name__ == "__main__":
    main("strategy", compose)
