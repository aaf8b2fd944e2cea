"""The parts of the documents that the program writes itself: `make pages` renews them, a test holds them.

A part stands between `<!-- name: ... -->` and `<!-- /name -->`.
"""

import re
from pathlib import Path

from services.commands.reference import markdown_commands
from services.settings import markdown_table

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PARTS = {"settings": markdown_table, "commands": markdown_commands}


def renewed(text: str) -> str:
    """A document with its parts as the program has them now."""
    for name, part in PARTS.items():
        pattern = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = pattern.sub(lambda found, part=part: f"{found[1]}\n{part().strip()}\n\n{found[2]}", text)  # type: ignore[misc]
    return text


def main() -> None:
    """Renew what is old."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        if (new := renewed(text)) != text:
            document.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
