"""Makes a run's report: `python -P -m services.report RUN_DIR`, with the session's end as JSON on stdin, or nothing.

Prints the page's path. Exit 1 with one line when the report can not be written.
"""

import argparse
import json
import sys
from pathlib import Path

from services.report.build import build_report


def main() -> int:
    """Build the report of the run directory named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m services.report", description="Build the report of a run.")
    parser.add_argument("run_dir", type=Path, help="the run's directory")
    run_dir = parser.parse_args().run_dir
    said = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read().decode()
    try:
        built = build_report(run_dir, json.loads(said) if said.strip() else None)
    except OSError as error:
        sys.stderr.write(f"the report of {run_dir} can not be written: {error.strerror or error}\n")
        return 1
    sys.stdout.write(f"{built}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
