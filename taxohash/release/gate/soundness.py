"""Rules of soundness: whether what was measured is what would be served, and was measured on pictures that are new to it."""

import numpy as np

from taxohash.release.gate.evidence import Evidence
from taxohash.release.gate.policy import Policy
from taxohash.release.judging import Finding
from taxohash.runtime.terminal import some


def numbers(evidence: Evidence, policy: Policy) -> Finding:
    """Every score is a number."""
    scores = evidence.challenger.scores
    if absurd := [name for name, values in scores.items() if not np.isfinite(values).all()]:
        return Finding.refuses("numbers", f"challenger's {', '.join(absurd)} is not a number")
    return Finding.passes("numbers", "every score is a number")


def same_data(evidence: Evidence, policy: Policy) -> Finding:
    """Both were measured on the data version of the run."""
    measured = {"challenger": evidence.challenger, "champion": evidence.champion}
    for who, one in measured.items():
        if one is not None and one.dataset_md5 != evidence.dataset_md5:
            told = (
                f"the {who} was evaluated on data version {one.dataset_md5 or 'unknown'}, and the run is of "
                f"{evidence.dataset_md5}: evaluate it on that one"
            )
            return Finding.refuses("data", told)
    return Finding.passes("data", f"all is measured on data version {evidence.dataset_md5}")


def same_taxonomy(evidence: Evidence, policy: Policy) -> Finding:
    """The challenger's classes are those of the data, and most of the champion's are among them."""
    classes = evidence.challenger.classes
    if other := classes ^ evidence.classes:
        told = (
            f"challenger's taxonomy is not that of the data, they differ in {len(other)} classes, such as "
            f"{some('/'.join(path) for path in sorted(other))}: train it on these data"
        )
        return Finding.refuses("taxonomy", told)
    before = evidence.champion.classes if evidence.champion else frozenset()
    gone = sorted(before - classes)
    told = f"{len(gone)} of the champion's {len(before)} classes are gone"
    if before and len(gone) > policy.classes_gone_most * len(before):
        told += (
            f", such as {some('/'.join(path) for path in gone)}: more than {100 * policy.classes_gone_most:g} % look like "
            "another taxonomy; if they are meant to go, raise classes_gone_most"
        )
        return Finding.refuses("taxonomy", told)
    return Finding.passes("taxonomy", told if before else "it is the taxonomy of the data")


def unseen_queries(evidence: Evidence, policy: Policy) -> Finding:
    """Hardly any query is a picture that the challenger was trained on: of such it knows the answer."""
    leaked, queries = int(evidence.leaked.sum()), len(evidence.leaked)
    told = f"{leaked:,} of {queries:,} queries have a picture of the training split, by bytes or pixels"
    if leaked == queries or leaked > policy.leaked_most * queries:
        bound = f"at most {100 * policy.leaked_most:g} % may"
        return Finding.refuses("leak", f"{told}; {bound}: take them out of one of the splits")
    return Finding.passes("leak", f"{told}{'; they are left out of what is compared' if leaked else ''}")
