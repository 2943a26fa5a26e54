"""Jobs as clients name them: `arq:` and the id without hyphens, the way job ids of this API have always looked."""

import uuid

PREFIX = "arq:"


def job_shown_id(id: str) -> str:
    """Return a job's id as the wire shows it."""
    return PREFIX + id.replace("-", "")


def job_stored_id(text: str) -> str:
    """Return a job's id as it is stored; what is no job id comes back as it is, and names no job."""
    try:
        return str(uuid.UUID(hex=text.removeprefix(PREFIX)))
    except ValueError:
        return text
