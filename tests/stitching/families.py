"""Tiny networks of many families with random weights and an input for each, made in memory."""

from collections.abc import Callable
from typing import Any

import torch
import transformers as hf

from analysis.checkpoints.load import Loaded
from analysis.cross_moments import CrossMoments
from analysis.extraction.probes import Probe
from analysis.linear_maps import affine
from analysis.stitching.behaviour import Stitch, baselines
from analysis.stitching.states import Pair, moments

BLOCKS = 3
SMALL = {"hidden_size": 16, "num_hidden_layers": BLOCKS, "num_attention_heads": 2, "intermediate_size": 32}
TEXT = {"vocab_size": 64, "max_position_embeddings": 32, "initializer_range": 0.2, **SMALL}
GPT = {"vocab_size": 64, "n_embd": 16, "n_layer": BLOCKS, "n_head": 2}
HEARD = {**SMALL, "conv_dim": (8, 8), "conv_stride": (20, 8), "conv_kernel": (40, 8), "num_feat_extract_layers": 2,
         "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "num_labels": 3}
CAUSAL: dict[str, Callable[[], Any]] = {
    "neox": lambda: hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(**TEXT)),
    "gpt2": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(**GPT, n_positions=32)),
    "llama": lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**TEXT)),
    "opt": lambda: hf.OPTForCausalLM(hf.OPTConfig(**TEXT, ffn_dim=32, word_embed_proj_dim=8)),  # a projection after all
    "gemma2": lambda: hf.Gemma2ForCausalLM(hf.Gemma2Config(**TEXT, num_key_value_heads=1, head_dim=8)),  # caps logits
    "cohere": lambda: hf.CohereForCausalLM(hf.CohereConfig(**TEXT, pad_token_id=0)),  # scales logits
    "bloom": lambda: hf.BloomForCausalLM(hf.BloomConfig(vocab_size=64, hidden_size=16, n_layer=BLOCKS, n_head=2)),
    "gpt_neo": lambda: hf.GPTNeoForCausalLM(hf.GPTNeoConfig(
        vocab_size=64, hidden_size=16, num_layers=BLOCKS, num_heads=2, max_position_embeddings=32,
        attention_types=[[["global", "local", "global"], 1]])),
    "mixtral": lambda: hf.MixtralForCausalLM(hf.MixtralConfig(**TEXT, num_key_value_heads=1, num_local_experts=2)),
    "bart": lambda: hf.BartForCausalLM(hf.BartConfig(
        vocab_size=64, d_model=16, encoder_layers=BLOCKS, decoder_layers=BLOCKS, decoder_attention_heads=2,
        decoder_ffn_dim=32, max_position_embeddings=32, is_encoder_decoder=False, is_decoder=True)),
}
JUDGING: dict[str, tuple[str, Callable[[], Any]]] = {
    "bert classes": ("text", lambda: hf.BertForSequenceClassification(hf.BertConfig(**TEXT, num_labels=3))),
    "gpt2 classes": ("text", lambda: hf.GPT2ForSequenceClassification(hf.GPT2Config(**GPT, num_labels=3,
                                                                                   pad_token_id=0))),
    "bert words": ("text", lambda: hf.BertForMaskedLM(hf.BertConfig(**TEXT))),
    "deberta tags": ("text", lambda: hf.DebertaV2ForTokenClassification(hf.DebertaV2Config(
        **TEXT, relative_attention=True, pos_att_type=["c2p", "p2c"], position_buckets=8, num_labels=3))),
    "vit": ("image", lambda: hf.ViTForImageClassification(hf.ViTConfig(**SMALL, image_size=16, patch_size=8,
                                                                       num_labels=3))),
    "dinov2": ("image", lambda: hf.Dinov2ForImageClassification(hf.Dinov2Config(
        hidden_size=16, num_hidden_layers=BLOCKS, num_attention_heads=2, mlp_ratio=2, image_size=16, patch_size=8,
        num_labels=3))),
    "wavlm": ("sound", lambda: hf.WavLMForSequenceClassification(hf.WavLMConfig(**HEARD))),  # blocks hand on a bias
}


def loaded(build: Callable[[], Any], modality: str = "text", processor: Any = None, seed: int = 0) -> Loaded:
    """A network with no weight at its initial 0 or 1."""
    torch.manual_seed(seed)
    model = build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return Loaded(model, model.base_model, processor, modality, BLOCKS, 32)


def inputs(modality: str) -> dict[str, torch.Tensor]:
    """Three texts of 7, 5 and 3 tokens, two images, or a sound."""
    torch.manual_seed(1)
    if modality == "image":
        return {"pixel_values": torch.randn(2, 3, 16, 16)}
    if modality == "sound":
        return {"input_values": torch.randn(1, 4000)}
    mask = (torch.arange(7) < torch.tensor([[7], [5], [3]])).long()
    return {"input_ids": torch.randint(5, 60, (3, 7)) * mask, "attention_mask": mask}


def fitted(sender: Loaded, receiver: Loaded, probe: Probe, pairs: list[Pair], **settings: Any) -> list[Stitch]:
    """The least squares map of each pair of sites and its baselines."""
    fit = moments(sender, receiver, probe, pairs, CrossMoments, shuffled=pairs, **settings)
    return [stitch for pair in pairs
            for stitch in (Stitch(*pair, "affine", affine(fit.paired[pair])), *baselines(fit, pair))]
