"""The command line: the same work as the app, for batch and scripts. `python -m analysis --help` lists the commands.

A public interface: commands, options, JSON fields and exit codes are kept. Exit codes: 0 done, 2 something given cannot
be used (one sentence on standard error says what and what to do), 130 interrupted (what was finished is kept).
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import NoReturn

from analysis import commands
from analysis.checkpoints.preflight import MEMORY_VARIABLE
from analysis.comparing import compare as compare_command
from analysis.errors import ExplorerError
from analysis.extraction.probes import DEFAULT
from analysis.figures_command import add_options as figures_options
from analysis.figures_command import make_figures as figures_command
from analysis.files import PROJECT as PROJECT
from analysis.jobs.limits import limit_this_process
from analysis.jobs.queue import turn
from analysis.map_command import map_points as map_command
from analysis.pair_command import pair as pair_command
from analysis.publishing.view import WAIT_S
from analysis.report_command import make_report as report_command
from analysis.runs import DEFAULT_PICK
from analysis.status import Status
from analysis.stitch_command import stitch as stitch_command
from analysis.stitches import FIRST as FIRST_RULES
from analysis.stitches import MAPS, SCOPES, TOKENS
from analysis.store import open_store
from analysis.sweeping import sweep as sweep_command
from analysis.topology_command import topology as topology_command

PICK = "which revisions: all, every-K, log-N (log-spaced), A..B (steps), or names with commas"
STOPPED = "stopped; finished checkpoints are kept, and the same command goes on from there"


_asked_to_stop: list[int] = []


def _give_way() -> None:
    """Compute only while nothing else on this machine wants to: a browser session must not wait for a sweep."""
    os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    at_once = getattr(arguments, "at_once", False)  # somebody waits for it, and it takes seconds
    if os.environ.get("EXPLORER_BACKGROUND") and not at_once:
        _give_way()
    signal.signal(signal.SIGTERM, _interrupt)
    if arguments.status:
        limit_this_process()
    status = Status(arguments.status)
    try:
        folder = status.path.parent if status.path else None
        waits = folder and not getattr(arguments, "executor", None) and not at_once  # a scheduler has its own queue
        with turn(folder, status) if folder and waits else nullcontext():
            arguments.command(arguments, open_store(), status)
    except KeyboardInterrupt:
        status.end("cancelled", STOPPED)
        return 130
    except BrokenPipeError:  # the reader has seen enough, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ExplorerError, ValueError) as error:
        status.end("failed", str(error))
        return 2
    except Exception as error:
        if _asked_to_stop:  # a library may turn the interrupt into an error of its own
            status.end("cancelled", STOPPED)
            return 130
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            status.end("failed", f"the memory this worker may use ran out; use fewer or shorter texts, or set "
                                 f"{MEMORY_VARIABLE} if more is free")
            return 2
        status.end("failed", f"unexpected {type(error).__name__}: {error}")
        raise
    status.end("done", "")
    return 0


def _interrupt(number: int, frame: object) -> None:
    _asked_to_stop.append(number)
    raise KeyboardInterrupt


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, like every other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}. See: {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m analysis", description=(__doc__ or "").splitlines()[0])
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[..., None]) -> argparse.ArgumentParser:
        command = subparsers.add_parser(name, help=(run.__doc__ or "").strip(), description=(run.__doc__ or "").strip())
        command.add_argument("--status", help=argparse.SUPPRESS)
        command.set_defaults(command=run)
        return command

    def protocol(command: argparse.ArgumentParser, policy: str | None, dtype: str | None) -> None:
        command.add_argument("--probe", help=f"built-in probe or file (default: the run's own, else {DEFAULT})")
        command.add_argument("--policy", default=policy, help="which tokens become rows: first, last, mean, every-K, "
                             "words-K (the token at the end of every K-th word, the same words for every tokenizer); "
                             "mean-keep-first, every-K-keep-first, words-K-keep-first keep position 0 (default: last)")
        command.add_argument("--dtype", default=dtype, choices=("float32", "bfloat16"),
                             help="precision of the forward pass (default: float32); statistics are float64 always")

    sweep = add("sweep", sweep_command)
    sweep.add_argument("run", nargs="+", metavar="RUN", help="name of a run, or the path of a folder")
    sweep.add_argument("--measure", action="append", help="a measure; repeat for more (default: all)")
    sweep.add_argument("--only", action="append", metavar="REVISION", help="a revision; repeat for more (default: all)")
    sweep.add_argument("--executor", choices=("slurm", "local"),
                       help="one task a checkpoint: on Slurm, or as processes here to try the same (needs submitit)")
    sweep.add_argument("--option", action="append", metavar="NAME=VALUE",
                       help="of the executor: partition, account, qos, constraint, time (minutes), mem, cpus, gpus, "
                            "array (how many at once)")
    sweep.add_argument("--set", action="append", metavar="NAME=VALUE", help="a parameter of the chosen measures")
    protocol(sweep, "last", "float32")

    listing = add("list", commands.list_runs)
    listing.add_argument("--json", action="store_true")

    show = add("show", commands.show)
    show.add_argument("run", metavar="RUN")
    show.add_argument("--measure")
    show.add_argument("--site", help='embedding, "block K" or final')
    show.add_argument("--format", choices=("text", "json", "csv", "parquet"), default="text", help="json: all values; "
                      "csv and parquet: scalars as a tidy table (default: text)")
    show.add_argument("--json", action="store_true")
    protocol(show, None, None)

    compare = add("compare", compare_command)
    compare.add_argument("run", nargs="+", metavar="RUN[@REVISION]", help="two runs, or one with itself; with --by run "
                         "or --by all as many as you like (revision: default the last)")
    compare.add_argument("--measure", action="append", help="a measure of pairs; repeat for more (default: "
                         "linear_cka_debiased)")
    compare.add_argument("--by", choices=("layer", "step", "run", "all"), default="layer",
                         help="all layers of two checkpoints, all steps of two runs at one site, runs at one site, or "
                              "every checkpoint and site with every other (default: layer)")
    compare.add_argument("--site", default="final", help="site compared by step or by run (default: final)")
    compare.add_argument("--set", action="append", metavar="NAME=VALUE", help="a parameter of the measure")
    compare.add_argument("--json", action="store_true")
    protocol(compare, "last", "float32")

    pair = add("pair", pair_command)
    for side in "ab":
        pair.add_argument(side, metavar="RUN[@REVISION][:SITE]", help="one side (revision: default the last; site: "
                          "default final)")
    pair.add_argument("--measure", action="append", help="a measure of pairs; repeat for more (default: all)")
    pair.add_argument("--json", action="store_true")
    protocol(pair, "last", "float32")

    stitch = add("stitch", stitch_command)
    for side in ("sender", "receiver"):
        stitch.add_argument(side, metavar=f"{side.upper()}[@REVISION]", help="run and revision (default: the last)")
    stitch.add_argument("--pairs", choices=SCOPES, default="same", help="each site into its namesake, every site into "
                        "every site, or the logit and tuned lens of one checkpoint (default: same)")
    stitch.add_argument("--map", action="append", choices=MAPS, help="a kind of map; repeat for more (default: all)")
    stitch.add_argument("--from-site", metavar="SITE", help="one site of the sender only")
    stitch.add_argument("--both", action="store_true", help="the other way round too")
    stitch.add_argument("--trained", nargs=2, metavar=("SOURCE", "TARGET"), help="train a stitch of one pair of sites "
                        "on the task instead, and show it beside the fitted one")
    stitch.add_argument("--tokens", type=int, default=TOKENS, metavar="N", help="most held-out tokens; four times as "
                        f"many are fitted on (default: {TOKENS})")
    stitch.add_argument("--first", choices=FIRST_RULES, default="usual", help="position 0: kept as it is in the "
                        "receiver, stitched by a map that was fitted without it, or in the fit (default: usual)")
    stitch.add_argument("--label", help="label of the probe with the class, for heads that judge a whole item")
    stitch.add_argument("--seed", type=int, default=1, help="of the split by document (default: 1)")
    stitch.add_argument("--probe", help=f"built-in probe or file (default: the receiver's own, else {DEFAULT})")
    stitch.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"), help="precision of the forward "
                        "pass (default: float32)")
    stitch.add_argument("--json", action="store_true")

    preflight = add("preflight", commands.preflight)
    preflight.add_argument("run", metavar="RUN", help="name of a run, or the path of a folder")
    preflight.add_argument("--json", action="store_true")

    revisions = add("revisions", commands.revisions)
    revisions.add_argument("repo", metavar="hub:REPOSITORY")
    revisions.add_argument("--pick", metavar="HOW", help=PICK)
    revisions.add_argument("--json", action="store_true")

    opening = add("open", commands.open_run)
    opening.add_argument("source", nargs="+", metavar="SOURCE",
                         help="a folder, hub:REPOSITORY[@REVISION], or STAGE=SOURCE for each stage of one run")
    opening.add_argument("--name", help="what to call the run")
    opening.add_argument("--pick", metavar="HOW", default=DEFAULT_PICK, help=f"{PICK} (default: {DEFAULT_PICK})")

    weights = add("weights", commands.weights)
    weights.add_argument("run", nargs="+", metavar="RUN", help="name of a run, or the path of a folder")
    weights.add_argument("--reference", metavar="REVISION", help="what changes are measured from (default: the first)")
    weights.add_argument("--json", action="store_true")

    shares = add("sample-size", commands.sample_sizes)
    shares.add_argument("run", nargs="+", metavar="RUN", help="name of a run, or the path of a folder")
    shares.add_argument("--only", action="append", metavar="REVISION", help="a revision; repeat for more (default: the "
                        "last of each run)")
    shares.add_argument("--site", help='embedding, "block K" or final (default: the last)')
    shares.add_argument("--measure", action="append", help="a measure that is one number of one representation; repeat "
                        "for more (default: ranks, their corrected values and the decay exponent)")
    shares.add_argument("--set", action="append", metavar="NAME=VALUE", help="a parameter of the chosen measures")
    shares.add_argument("--json", action="store_true")
    protocol(shares, "last", "float32")

    topology = add("topology", topology_command)
    topology.add_argument("run", nargs="+", metavar="RUN", help="name of a run, or the path of a folder")
    topology.add_argument("--only", action="append", metavar="REVISION", help="a revision; repeat for more (default: "
                          "all)")
    topology.add_argument("--site", action="append", help='embedding, "block K" or final; repeat for more, or all '
                          "(default: final)")
    topology.add_argument("--against", metavar="RUN@REVISION", help="a checkpoint of any run that distances are taken "
                          "from as well")
    for name, default, help in (
            ("--points", 300, "distinct rows in a cloud"), ("--draws", 10, "clouds that are drawn"),
            ("--surrogates", 39, "clouds without structure, of each of two kinds"),
            ("--max-dim", 1, "highest dimension: 1, or 2 with at most 250 points"),
            ("--directions", 0, "leading principal directions that distances are taken along; 0: all"),
            ("--seed", 0, "of the draws and surrogates")):
        topology.add_argument(name, type=int, default=default, metavar="N", help=f"{help} (default: {default})")
    topology.add_argument("--seconds", type=float, default=60.0, metavar="S", help="most time a cloud may take "
                          "(default: 60)")
    topology.add_argument("--megabytes", type=int, default=2_000, metavar="MB", help="most memory a cloud may take "
                          "(default: 2000)")
    topology.add_argument("--json", action="store_true")
    protocol(topology, "last", "float32")

    points = add("map", map_command)
    points.add_argument("run", metavar="RUN[@REVISION]", help="a run; its last checkpoint where layers are "
                        "mapped, unless one is named")
    points.add_argument("--over", choices=("steps", "layers"), default="steps", help="a frame for each checkpoint, or "
                        "for each site of one (default: steps)")
    points.add_argument("--site", default="final", help="site of a map over steps (default: final)")
    points.add_argument("--pick", metavar="HOW", default="log-12", help="which checkpoints: log-N (at most N, "
                        "log-spaced) or all (default: log-12)")
    points.add_argument("--only", action="append", metavar="FRAME", help="a revision, or a site over layers; repeat "
                        "for more")
    points.add_argument("--method", choices=("pca", "umap", "tsne", "given"), default="pca", help="given: the layout "
                        "that came with rows of one's own (default: pca)")
    points.add_argument("--points", type=int, default=1_000, metavar="N", help="most rows that are drawn, spread over "
                        "the documents (default: 1000)")
    points.add_argument("--seed", type=int, default=0, help="of the drawn rows, of UMAP and t-SNE (default: 0)")
    points.add_argument("--json", action="store_true")
    protocol(points, "last", "float32")

    figures_options(add("figures", figures_command))

    report = add("report", report_command)
    report.set_defaults(at_once=True)
    report.add_argument("link", nargs="*", metavar="LINK", help="of a page, such as 'trajectories?runs=NAME'")
    report.add_argument("--views", metavar="FILE", help="views as the page Saved views exports them, after the links")
    report.add_argument("--out", metavar="FILE", default="report.html", help="default: report.html")
    report.add_argument("--title", default="Report", help="default: Report")
    report.add_argument("--note", default="", help="an introduction")
    report.add_argument("--seconds", type=float, default=WAIT_S, metavar="S", help="most time to draw a page (default: "
                        f"{WAIT_S:g})")

    storage = add("storage", commands.storage)
    storage.add_argument("--keep", type=float, metavar="GB", help="let rows go, those read longest ago first, until "
                         "so many GB are left; values stay")
    storage.add_argument("--json", action="store_true")

    add("measures", commands.measures)
    return parser


if __name__ == "__main__":
    sys.exit(main())
