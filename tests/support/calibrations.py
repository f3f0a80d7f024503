"""A calibration whose maps are plain to see: straight lines from the probability of distance 0 down to 0 at the greatest distance."""

from taxohash.generation.calibration import Calibration, Curve, Map, Rankings
from tests.support.generations import BITS


def maps(*tops: float) -> Rankings:
    def by(greatest: float) -> Map:
        falling = [Curve(scores=(0.0, greatest), probabilities=(top, 0.0)) for top in tops]
        rising = [Curve(scores=(0.0, 1.0), probabilities=(0.0, 1.0)) for _ in tops]
        return Map(shared=tuple(falling), predicted=tuple(rising))

    return Rankings(hamming=by(BITS), weighted=by(1.0))


KNOWN = Calibration(
    nearest=2, learned_from="train", seen=maps(1.0, 0.9, 0.8), new=maps(0.5, 0.4, 0.3), novelty=(4.0, 4.0)
)
