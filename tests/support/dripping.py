"""A client whose body comes piece by piece, as an ASGI application sees it."""

import asyncio
from collections.abc import Iterable
from typing import Any


class Dripping:
    """A `receive` of ASGI: pieces after their pauses, then the end of the body, or nothing more, or that the client left.

    Attributes:
        left: pieces that did not come yet.
    """

    def __init__(
        self, pieces: Iterable[tuple[float, bytes]], *, whole: bool = True, leaves: float | None = None
    ) -> None:
        """Begin with the first piece.

        Args:
            pieces: seconds before each, and its bytes.
            whole: whether the last piece ends the body.
            leaves: seconds after the last piece.
        """
        self.left = list(pieces)
        self._whole = whole
        self._leaves = leaves

    async def __call__(self) -> dict[str, Any]:
        if self.left:
            pause, data = self.left.pop(0)
            if pause:
                await asyncio.sleep(pause)
            return {"type": "http.request", "body": data, "more_body": bool(self.left) or not self._whole}
        if self._leaves is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(self._leaves)
        return {"type": "http.disconnect"}
