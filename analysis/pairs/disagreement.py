"""Where structure and function disagree: a low CKA at a site whose states another network can use all the same.

CKA asks whether two representations have the same shape; stitching asks whether one network's tail can read the other's
states through one affine map. Neither follows from the other, and fixed rules say in words where they part.
"""

from collections.abc import Mapping, Sequence
from typing import Any

LOW_CKA, HIGH_CKA = 0.3, 0.7   # calibrated: 0 is what 95 % of shuffled documents stay below, 1 is equal
PASSES, FAILS = 0.9, 0.5       # share of the loss recovered; 0 is the receiver's mean state
INTERCHANGEABLE = "CKA says different, stitching says interchangeable"
NOT_INTERCHANGEABLE = "CKA says alike, stitching says not interchangeable"
ALIKE, DIFFERENT = "both say alike", "both say different"
BETWEEN, UNTOLD = "no clear disagreement", "not told"
DISAGREEMENTS = (INTERCHANGEABLE, NOT_INTERCHANGEABLE)
RULES = (f"{INTERCHANGEABLE}: calibrated CKA below {LOW_CKA}, at least {PASSES:.0%} of the loss recovered, and an "
         f"untrained sender does worse. {NOT_INTERCHANGEABLE}: calibrated CKA at least {HIGH_CKA}, less than "
         f"{FAILS:.0%} recovered.")

Record = Mapping[str, Any]


def verdict(calibrated: float | None, recovered: float | None, uninformative: str) -> str:
    """One of the sentences above.

    Parameters
    ----------
    calibrated : CKA above its shuffles, 0 to 1 (see pairs.cells.verdict); None where it is undefined or has no null
    recovered : share of the loss that the stitch recovers; None where it is undefined
    uninformative : why passing says nothing of the sender, such as that an untrained one passes too; "" where it does
    """
    if calibrated is None or recovered is None or (recovered >= PASSES and uninformative):
        return UNTOLD
    if recovered >= PASSES:
        return INTERCHANGEABLE if calibrated < LOW_CKA else ALIKE if calibrated >= HIGH_CKA else BETWEEN
    if recovered < FAILS:
        return NOT_INTERCHANGEABLE if calibrated >= HIGH_CKA else DIFFERENT if calibrated < LOW_CKA else BETWEEN
    return BETWEEN


def joined(cka: Sequence[Record], stitched: Sequence[Record]) -> list[dict[str, Any]]:
    """One record for each site that both know, in the order of the first, with the verdict and why it is not told."""
    known = {row["site"]: row for row in stitched}
    found = []
    for row in cka:
        if row["site"] not in known:
            continue
        stitch = known[row["site"]]
        said = verdict(row["calibrated"], stitch["recovered"], stitch["uninformative"])
        found.append({**row, **{name: value for name, value in stitch.items() if name != "reason"}, "verdict": said,
                      "reason": _why(row, stitch) if said == UNTOLD else ""})
    return found


def _why(row: Record, stitch: Record) -> str:
    if row["cka"] is None or stitch["recovered"] is None:
        return row["reason"] or stitch["reason"] or "one of the two is undefined here"
    if row["calibrated"] is None:
        return "this CKA has no shuffled documents to stand above"
    return str(stitch["uninformative"])


def sentences(records: Sequence[Record]) -> list[str]:
    """What to say of each pair of networks: the sites of each disagreement, or that there is none."""
    found = []
    for pair in dict.fromkeys(record["pair"] for record in records):
        own = [record for record in records if record["pair"] == pair]
        said = [f"{kind} at {', '.join(sites)}" for kind in DISAGREEMENTS
                if (sites := [record["site"] for record in own if record["verdict"] == kind])]
        told = sum(record["verdict"] != UNTOLD for record in own)
        found.append(f"{pair}: {'; '.join(said) or f'no disagreement by these rules at the {told} sites told'}.")
    return found
