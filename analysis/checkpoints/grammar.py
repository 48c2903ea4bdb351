"""Reads step, tokens, stage and seed from the revision names of public checkpoint suites, and from step folders."""

import re
from dataclasses import dataclass

UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}

# (family, pattern). Named groups: step, tokens + unit, stage, ingredient, seed. First full match wins.
GRAMMARS: tuple[tuple[str, re.Pattern[str]], ...] = tuple((family, re.compile(pattern)) for family, pattern in (
    ("Pythia, PolyPythias, Lucie", r"step(?P<step>\d+)"),
    ("OLMo, Apertus", r"step(?P<step>\d+)-tokens(?P<tokens>\d+)(?P<unit>[BT])"),
    ("OLMo-2, Olmo-3", r"stage(?P<stage>\d+)(?:-ingredient(?P<ingredient>\d+))?-step(?P<step>\d+)"
                       r"(?:-tokens(?P<tokens>\d+)(?P<unit>[BT]))?"),
    ("SmolLM3", r"stage(?P<stage>[123])-step-(?P<step>\d+)"),
    ("SmolLM3 long context", r"(?P<stage>lc-\d+k-to-\d+k)-step-(?P<step>\d+)"),
    ("SmolLM2", r"step-(?P<step>\d+)"),
    ("Amber", r"ckpt_(?P<step>\d{3})"),
    ("Crystal", r"CrystalCoder_phase(?P<stage>[123])_checkpoint_(?P<step>\d{6})"),
    ("BLOOM", r"global_step(?P<step>\d+)"),
    ("DataDecide", r"step(?P<step>\d+)-seed-(?P<seed>default|(?:small|large)-aux-[23])"),
    ("MultiBERTs", r"(?:.*/)?multiberts-seed_(?P<seed>\d+)(?:-step_(?P<step>\d+)(?P<step_unit>k))?"),
    ("post-training", r"step_(?P<step>\d+)"),
    ("transformers Trainer", r"checkpoint-(?P<step>\d+)"),
))


@dataclass(frozen=True)
class Revision:
    """What a revision name says. `tokens` is the label's, which families round differently; a run's own tokens per step
    are exact and win over it."""

    name: str
    family: str | None = None
    step: int | None = None
    tokens: int | None = None
    stage: str | None = None
    seed: str | None = None


def parse_revision(name: str) -> Revision:
    """The parts of a revision name; an unknown name gives a Revision with nothing but the name."""
    for family, pattern in GRAMMARS:
        match = pattern.fullmatch(name)
        if match:
            parts = match.groupdict()
            step = int(parts["step"]) * (1000 if parts.get("step_unit") else 1) if parts.get("step") else None
            tokens = int(parts["tokens"]) * UNITS[parts["unit"]] if parts.get("tokens") else None
            stage = parts.get("stage")
            if parts.get("ingredient"):
                stage = f"{stage}-ingredient{parts['ingredient']}"
            return Revision(name, family, step, tokens, stage, parts.get("seed"))
    return Revision(name)
