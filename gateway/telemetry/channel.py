"""A partner's channel, with somebody beside it who looks at the clock."""

from __future__ import annotations

import time

from gateway.ports import Answer, Observer, Outgoing, PartnerChannel, Said


class WatchedChannel:
    """A `PartnerChannel` that tells an observer how long every call took and how far it came."""

    def __init__(self, partner: str, channel: PartnerChannel, observer: Observer) -> None:
        self._partner, self._channel, self._observer = partner, channel, observer

    def send(self, message: Outgoing) -> Answer:
        """See `ports.PartnerChannel`."""
        with self._observer.calling(self._partner, message.mid) as told:
            began = time.perf_counter()
            answer = self._channel.send(message._replace(headers={**message.headers, **told}) if told else message)
            self._observer.attempted(self._partner, answer.phase, time.perf_counter() - began)
        return answer

    def ask(self, message: Outgoing, most: int) -> Said:
        """See `ports.PartnerChannel`."""
        began = time.perf_counter()
        said = self._channel.ask(message, most)
        self._observer.attempted(self._partner, said.phase, time.perf_counter() - began)
        return said

    def close(self) -> None:
        """See `ports.PartnerChannel`."""
        self._channel.close()
