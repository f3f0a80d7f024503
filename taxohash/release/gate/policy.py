"""What the gate demands."""

from typing import Annotated

from pydantic import Field

from taxohash.release.judging import Judging
from taxohash.runtime.configuration import NonNegative, Share, configuration

Times = Annotated[float, Field(ge=1)]


@configuration
class Policy(Judging):
    """What a challenger must be, to be published; see `Judging` for how it is compared.

    Attributes:
        floor_share: of the way from chance to the baseline that each metric must go where nothing better is
            published; 0 is chance, 1 the baseline.
        leaked_most: share of the queries whose picture the challenger may have been trained on; they are left out of every
            comparison.
        classes_gone_most: share of the champion's classes that the challenger's taxonomy may lack.
        entropy_least: entropy that the bits have together, as a multiple of that of the database's labels: with less than once no
            code tells them apart.
        entropy_most: by which the mean entropy of a bit, in bits, may be lower than the champion's.
        collisions_most: share of the pairs of different classes that may have one code.
        collisions_times_most: such pairs there may be this many times as many as of the champion.
        calibration_most: expected calibration error that the probabilities of answers may have on any level, beyond what so few
            queries show by chance.
        slower_most: encoding a picture may take this many times as long as by the champion, measured beside it.
        seconds_most: and so many seconds; 0 for any number.
        larger_most: the network's file may have this many times the bytes of the champion's.
        bytes_most: and so many bytes; 0 for any number.
    """

    tolerance_least: NonNegative = 0.002
    tolerance_most: NonNegative = 0.05
    floor_share: Share = 0.5
    leaked_most: Share = 0.01
    classes_gone_most: Share = 0.2
    entropy_least: NonNegative = 1.0
    entropy_most: Share = 0.1
    collisions_most: Share = 0.5
    collisions_times_most: Times = 2.0
    calibration_most: Share = 0.1
    slower_most: Times = 2.0
    seconds_most: NonNegative = 0.0
    larger_most: Times = 2.0
    bytes_most: Annotated[int, Field(ge=0)] = 0
