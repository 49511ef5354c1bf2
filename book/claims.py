"""The measured claims: what the papers say, what was measured here, and what follows."""

import json
from pathlib import Path

COLUMNS = ("id", "claim", "paper", "here", "seeds", "verdict", "why", "source")
VERDICTS = ("reproduced", "not reproduced", "not testable at this size", "cannot tell")


def read_claims(file: Path) -> list[dict]:
    """The claims of a file; ValueError for a missing file, a missing column, or a verdict that is none."""
    if not file.is_file():
        raise ValueError(f"no measured claims at {file}")
    claims = json.loads(file.read_text(encoding="utf-8"))
    for number, claim in enumerate(claims):
        lacking = [column for column in COLUMNS if column not in claim]
        if lacking:
            raise ValueError(f"claim {number} of {file.name} has no {', '.join(lacking)}")
        if claim["verdict"] not in VERDICTS:
            raise ValueError(f"claim {claim['id']} of {file.name} has the verdict {claim['verdict']!r}, which is none")
    return claims


def claims_page(file: Path) -> str:
    """The page of the claims, as Markdown: the verdicts counted, all claims in a table, and each by itself."""
    claims = read_claims(file)
    counts = {verdict: sum(claim["verdict"] == verdict for claim in claims) for verdict in VERDICTS}
    rows = (f"| [{c['id']}](#claim-{c['id']}) | {plain(c['claim'])} | {c['verdict']} |\n" for c in claims)
    parts = ["# Measured claims", "".join(f"- {count} {verdict}\n" for verdict, count in counts.items())]
    parts.append("| | claim | verdict |\n|---|---|---|\n" + "".join(rows))
    for claim in claims:
        parts.append(
            f"(claim-{claim['id']})=\n\n## {claim['id']}: {plain(claim['claim'])}\n\n"
            f"| | |\n|---|---|\n| the paper | {plain(claim['paper'])} |\n| here | {plain(claim['here'])} |\n"
            f"| trainings | {claim['seeds']} |\n| verdict | **{claim['verdict']}** |\n| why | {plain(claim['why'])} |\n"
            f"| source | `{claim['source']}` |"
        )
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    escaped = "".join(f"\\{character}" if character in "\\`*_|$<>[]#~" else character for character in str(text))
    return " ".join(escaped.split())
