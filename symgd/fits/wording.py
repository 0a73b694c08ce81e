"""Words that several sentences of a fit share."""


def times(count: int, what: str) -> str:
    """The number and its noun: 1 row, 1,000 rows."""
    return f"{count:,} {what}" if abs(count) == 1 else f"{count:,} {what}s"
