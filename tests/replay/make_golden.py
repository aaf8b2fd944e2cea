"""Write the golden sessions again: `python tests/replay/make_golden.py [NAME]...`, all without a name.

Everything below `golden/` is made by this, from `golden_scenarios.py` and the code as it stands. Run it after a
change that is meant to change what the broker does, and let the reviewers read `git diff tests/replay/golden`.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main(names: list[str]) -> None:
    """Write the sessions of these names; with none, all, and nothing else stays."""
    from golden import GOLDEN, inputs_of, perform  # noqa: PLC0415 - the path to it is set above
    from golden_scenarios import SCENARIOS  # noqa: PLC0415

    if not names:
        shutil.rmtree(GOLDEN, ignore_errors=True)
    for name in names or SCENARIOS:
        session = SCENARIOS[name]()
        directory = GOLDEN / name
        directory.mkdir(parents=True, exist_ok=True)
        for file, content in {**inputs_of(session), **perform(session).texts()}.items():
            (directory / file).write_bytes(content)


if __name__ == "__main__":
    main(sys.argv[1:])
