"""What each metric's name means, in a few words, with its source."""

import re

MEANINGS = {
    r"mAP": "precision at every relevant answer, in the mean: 1 where all of them come first",
    r"mAP@(\d+)": "mAP of what is found among the first {0} answers (HashNet, CSQ)",
    r"wmAP@(\d+)": "mAP that counts how many labels are shared, over the first {0} answers (DSRH)",
    r"P@(\d+)": "share of relevant answers among the first {0}",
    r"P@r(\d+)": "share of relevant ones among all codes within {0} bits of the query's; 0 where there is none",
    r"collisions": "share of what is of another class, or shares no label, that has the query's very code: nothing tells it apart",
    r"mAHP@(\d+)": "likeness on the tree of the first 1, 2, ... {0} answers, over the best there is, in the mean (SHPDH)",
    r"HP@(\d+)": "likeness on the tree of the first {0} answers, over the best there is (Deng et al., 2011)",
    r"nDCG@(\d+|all)": "gain of the first {0} answers, discounted by rank, over the best there is (Järvelin, Kekäläinen)",
    r"ACG@(\d+)": "levels, or labels, that the first {0} answers share with the query, in the mean (DSRH)",
    r"WR@(\d+)": "share of the database's likeness on the tree that the first {0} answers have (SHDH)",
    r"H-AP": "average precision that counts an answer by its likeness on the tree (HAPPIER)",
    r"ASI": "how much of the best first t the first t answers have, in the mean over t (HAPPIER)",
}
NDCG_VARIANTS = {
    "": "in the mean over the first 1, 2, ... of these (SHPDH)",
    "hpdh": "in that mean, with the discount of SHPDH's code",
    "at": "at this one place",
    "exp": "at this one place, with gain 2^r - 1",
}


def meaning(metric: str) -> str:
    """What a metric measures: `metric@cutoff`, then `/variant`; of a level's the same as without."""
    base, _, variant = metric.partition("/")
    for pattern, told in MEANINGS.items():
        if match := re.fullmatch(pattern, base):
            words = told.format(*match.groups())
            if base.startswith("nDCG"):
                return f"{words}, {NDCG_VARIANTS[variant]}"
            return f"{words}, by Wu and Palmer's likeness" if variant == "wup" else words
    raise KeyError(metric)
