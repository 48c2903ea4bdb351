"""The words of this app, each in a sentence or two."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A word with what it means, other spellings of it, and the page that shows it, by the name in its link."""

    word: str
    meaning: str
    also: tuple[str, ...] = ()
    page: str = ""

    @property
    def anchor(self) -> str:
        return "-".join("".join(letter if letter.isalnum() else " " for letter in self.word.lower()).split())


TERMS = (
    Term("run", "One training trajectory: an ordered set of checkpoints. A single model is a run of one.",
         ("runs",), "checkpoints"),
    Term("checkpoint", "One set of weights of a run, with its step, the tokens read until then, and the fingerprint of "
         "its files.", ("checkpoints",), "checkpoints"),
    Term("stage", "A named model of a post-training recipe, such as base, SFT and DPO, in the place of a step.",
         ("stages",), "checkpoints"),
    Term("probe", "A fixed set of texts that every checkpoint reads, known by a digest of its content. Numbers on "
         "different probes are never drawn together.", ("probes",), "checkpoints"),
    Term("row", "One point of a representation: a token, or the mean of the tokens of a text. Which tokens become rows "
         "is the token policy, chosen in the sidebar.", ("rows",)),
    Term("document", "What rows that belong together come from. Intervals leave whole documents out, because rows of "
         "one document are not independent.", ("documents",)),
    Term("site", "Where in the network rows are taken: after the embedding, after a block (before any final norm), or "
         "final (after the final norm).", ("sites",)),
    Term("representation", "The table of numbers that one checkpoint gives at one site on one probe: n rows of d "
         "numbers.", ("representations",)),
    Term("reference", "What every page compares against, once it is pinned in the sidebar: a checkpoint, a phase of a "
         "run, or another model."),
    Term("eigenspectrum", "The variances of a representation along its principal directions, largest first.",
         ("eigenspectra", "spectrum", "spectra"), "spectra"),
    Term("principal direction", "A direction of the space of rows along which they vary, at right angles to those "
         "that vary more.", ("principal directions",), "spectra"),
    Term("effective rank", "How many directions a representation uses, counted by how evenly its variance is spread. "
         "There are several, and RankMe is one.", page="trajectories"),
    Term("RankMe", "exp of the entropy of the normalised spectrum: 1 when all variance lies along one direction, d "
         "when it is even. Here of the covariance eigenvalues unless its name says otherwise (Garrido 2023 uses "
         "singular values).", page="trajectories"),
    Term("α", "The exponent of a power law fitted to the eigenspectrum over a stated window of ranks. Steep decay is a "
         "large α; how it changes with the window says whether a power law is a fair description.",
         ("alpha", "decay exponent"), "spectra"),
    Term("power law", "A curve that is a straight line when both axes are logarithmic.", page="spectra"),
    Term("phase", "An interval of training named by a stated rule: RankMe and α move in opposite directions and the "
         "intervals of both slopes exclude 0. Where they do not, nothing is claimed.", ("phases",), "phases"),
    Term("warmup", "The phase in which RankMe falls at the start of training.", page="phases"),
    Term("entropy-seeking", "The phase in which RankMe rises: variance spreads over more directions.", page="phases"),
    Term("compression-seeking", "The phase after it in which RankMe falls again and α rises.", page="phases"),
    Term("95 % interval", "How far a number moves with other documents of the same kind, by the jackknife. It says "
         "nothing of another seed of training, and the estimator's bias is not in it.", ("interval", "intervals")),
    Term("jackknife", "A way to an interval: compute the number again without each group of documents.",
         page="sample_size"),
    Term("bias", "How far an estimate is off on average at this number of rows. Corrected measures stand beside the "
         "plain ones.", page="sample_size"),
    Term("paired", "Of a difference: the same documents are left out on both sides, so what both have in common "
         "cancels.", page="compare"),
    Term("chance", "The value of a measure when there is nothing to find, for instance when the documents of one side "
         "are shuffled.", ("chance level",), "similarity"),
    Term("shuffled documents", "The null of a comparison: rows of one side belong to other documents, so what is alike "
         "then is alike for no reason of content.", ("shuffled texts",), "similarity"),
    Term("null", "What a number would be with nothing to find: its level and its spread.", page="pair"),
    Term("p", "The share of draws of the null that reach the value, the value itself among them.", page="pair"),
    Term("multiple comparisons", "With twenty tests, one stands out by luck at 5 %. Adjusted p say what holds for all "
         "of them together.", page="compare"),
    Term("calibrated", "On a scale where 0 is the level that 95 % of shuffles stay below and 1 is equality. The only "
         "scale on which measures of different kinds are compared.", page="pair"),
    Term("CKA", "Centred kernel alignment: how alike two tables of similarities between rows are, whatever the "
         "rotation of either side. Its plug-in estimate rises with d/n; the debiased one does not.", page="similarity"),
    Term("stitching", "Sending the states of one model at some site through a map into another model, which goes on "
         "from there.", ("stitch", "stitches"), "stitching"),
    Term("sender", "The model whose states are sent in a stitch.", page="stitching"),
    Term("receiver", "The model that goes on from the states it is sent.", page="stitching"),
    Term("penalty", "What the loss of the receiver rises by when it reads the sender.", page="stitching"),
    Term("affine map", "A matrix and a shift; here found in closed form by least squares, never trained on the task.",
         ("affine",), "stitching"),
    Term("persistent homology", "Which components, loops and voids of a cloud are there over a range of distances; "
         "each is a bar from where it appears to where it is filled.", page="topology"),
    Term("bar", "A component (H0), loop (H1) or void (H2) of a cloud, from the distance at which it appears to the one "
         "at which it is filled.", ("bars",), "topology"),
    Term("surrogate", "A cloud without structure that is made like the real one, to see what bars chance gives.",
         ("surrogates", "clouds without structure"), "topology"),
    Term("intrinsic dimension", "Along how many directions the near neighbours of a point lie, usually far fewer than "
         "d.", page="intrinsic_dimension"),
    Term("map", "A view of rows in two dimensions, by PCA, UMAP or t-SNE. How much of the distances it keeps stands on "
         "each frame.", ("UMAP", "t-SNE", "PCA"), "points"),
    Term("fingerprint", "The sha256 of a checkpoint's weights, config and tokenizer files. Equal fingerprints at "
         "different steps are flagged.", ("fingerprints",), "checkpoints"),
    Term("token policy", "Which tokens of a text become rows: the last, the mean, every k-th, or by words."),
    Term("seed", "The number that random choices begin from. Two seeds of one training differ in nothing else."),
)
BY_ANCHOR = {term.anchor: term for term in TERMS}
