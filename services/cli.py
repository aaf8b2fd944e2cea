"""`lap`: the entry point. What supervises branches off here, before anything heavy is imported."""

import sys

SUPERVISED = ("feed", "strategy", "broker", "monitor", "exchange", "run")


def app() -> None:
    """Run the command on the command line and exit with its code."""
    if sys.argv[1:2] and sys.argv[1] in SUPERVISED and not _is_tool(sys.argv[1:]):
        from services import signals

        signals.catch()
        from services.supervision.launch import main

        sys.exit(main(sys.argv[1], sys.argv[2:]))
    from services.commands.app import app as commands

    commands()


def _is_tool(words: list[str]) -> bool:
    """Whether it is `lap exchange` as a tool of its own; with `--source` it is a service of a session."""
    return words[0] == "exchange" and not any(word.startswith("--source") for word in words)
