"""The one error a user can be shown: a PostgreSQL error with SQLSTATE, message, detail and hint.

Every refusal of the engine and of the proxy is a PgError.  How it is put on the wire is the proxy's business,
and how a failed job keeps it is the job record's.
"""

from __future__ import annotations


class PgError(Exception):
    """An error with the fields of a PostgreSQL ErrorResponse (protocol chapter 54.8).

    `sqlstate` has five characters; `message` is one sentence without a final full stop; `detail` and `hint`
    are sentences or empty.  None of the texts may hold a password: whoever raises it redacts first.
    `position` counts characters of the client's statement from 1; 0 means that there is none.
    """

    def __init__(self, sqlstate: str, message: str, *, detail: str = "", hint: str = "", position: int = 0) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position

    def __repr__(self) -> str:
        return f"<PgError {self.sqlstate} {self.message}>"
