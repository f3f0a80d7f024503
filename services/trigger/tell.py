"""Telling people what they may have to do something about: the webhook of TAXOHASH_NOTIFY_URL, in Slack's form."""

import logging
import threading

import httpx

_TRIES, _SECONDS = 3, 10.0
LOG = logging.getLogger("taxohash.trigger")


class Teller:
    """Tells the people of one collection. Nobody waits for it, and nothing fails for it."""

    def __init__(self, collection: str, address: str | None) -> None:
        self._collection, self._address = collection, address

    def tell(self, text: str) -> None:
        """Say a sentence."""
        LOG.info("%s", text)
        if self._address:
            threading.Thread(target=self._post, args=(self._address, text), name="tell", daemon=True).start()

    def _post(self, address: str, text: str) -> None:
        problem = ""
        for _ in range(_TRIES):
            try:
                answer = httpx.post(address, json={"text": f"{self._collection}: {text}"}, timeout=_SECONDS)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                problem = type(error).__name__  # its text may hold the address, which is a secret
                continue
            if answer.is_success:
                return
            problem = f"status {answer.status_code}"
        LOG.error("nobody was told by TAXOHASH_NOTIFY_URL: %s", problem)
