"""Images, sounds and encoders: rows equal a forward pass by hand, and what cannot be read ends in a sentence."""

import os
import struct
import wave
import zlib

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from analysis.checkpoints.load import load
from analysis.errors import ExplorerError
from analysis.extraction.forward import extract
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from tests.checkpoints.models import tokenizer

RATE, BLOCKS = 16_000, 3
SMALL = {"hidden_size": 16, "num_hidden_layers": BLOCKS, "num_attention_heads": 2}
SIDES = {"encoder_layers": BLOCKS, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
         "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "vocab_size": 64, "d_model": 16}
SQUARE = {"height": 16, "width": 16}
BUILD = {
    "vit": (hf.ViTModel, lambda: hf.ViTConfig(**SMALL, intermediate_size=32, image_size=16, patch_size=8),
            lambda: ViTImageProcessorPil(size=SQUARE)),
    "dinov2": (hf.Dinov2Model, lambda: hf.Dinov2Config(**SMALL, mlp_ratio=2, image_size=16, patch_size=8),
               lambda: BitImageProcessorPil(size={"shortest_edge": 16}, crop_size=SQUARE)),
    "t5": (hf.T5ForConditionalGeneration, lambda: hf.T5Config(
        vocab_size=64, d_model=16, d_ff=32, num_layers=BLOCKS, num_decoder_layers=2, num_heads=2, d_kv=8), tokenizer),
    "bart": (hf.BartModel, lambda: hf.BartConfig(**SIDES, max_position_embeddings=32), tokenizer),
    "wav2vec2": (hf.Wav2Vec2Model, lambda: hf.Wav2Vec2Config(
        **SMALL, intermediate_size=32, conv_dim=(8, 8), conv_stride=(20, 8), conv_kernel=(40, 8),
        num_feat_extract_layers=2), hf.Wav2Vec2FeatureExtractor),
    "whisper": (hf.WhisperModel, lambda: hf.WhisperConfig(
        **SIDES, max_source_positions=50, max_target_positions=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1), lambda: hf.WhisperFeatureExtractor(chunk_length=1)),
}
READS = {"vit": "image", "dinov2": "image", "wav2vec2": "sound", "whisper": "sound", "t5": "text", "bart": "text"}
LAST_NORM = {"vit": "layernorm", "dinov2": "layernorm", "t5": "final_layer_norm", "whisper": "layer_norm"}
SITES = ["embedding", *(f"block {k}" for k in range(1, BLOCKS + 1)), "final"]
TAKE = {"first": lambda x: x[0], "mean": lambda x: x[1:].mean(0), "mean-keep-first": lambda x: x.mean(0),
        "last": lambda x: x[-1]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Each model with its processor, no weight at its initial 0 or 1."""
    root = tmp_path_factory.mktemp("media-models")
    for name, (build, config, processor) in BUILD.items():
        torch.manual_seed(3)
        model = build(config())
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(root / name)
        processor().save_pretrained(root / name)
    return root


@pytest.fixture(scope="module")
def loaded(folders):
    return {name: load(folders / name) for name in BUILD}


def write_sound(path, samples, *, rate=RATE, channels=1, width=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((channels, width, rate, 0, "NONE", ""))
        sound.writeframes(samples.astype("<i2").tobytes() if width == 2 else samples.tobytes())
    return path


def write_image(path, shown):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(shown).save(path)
    return path


def noise(number, shape):
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def tone(number, length=RATE):
    return 8000 * np.sin(2 * np.pi * (200 + 60 * number) * np.arange(length) / RATE)


PIXELS = {f"{'cat' if k % 2 else 'dog'}/{k:02}.png": noise(k, (20, 24, 3)) for k in range(18)}
HEARD = {f"{'low' if k < 3 else 'high'}/{k}.wav": tone(k).astype("<i2") for k in range(5)}  # what Whisper hears at once


@pytest.fixture(scope="module")
def probes(tmp_path_factory, probe):
    root = tmp_path_factory.mktemp("media-probes")
    _ = [write_image(root / "images" / name, image) for name, image in PIXELS.items()]
    _ = [write_sound(root / "sounds" / name, samples) for name, samples in HEARD.items()]
    return {"image": load_probe(root / "images"), "sound": load_probe(root / "sounds"), "text": probe}


@pytest.fixture(scope="module")
def by_hand(folders, probe):
    """All positions of every site but the last block for one item at a time, by transformers alone."""
    def states(name):
        build, _, processor = BUILD[name]
        model, prepare = build.from_pretrained(folders / name).eval(), processor()
        if READS[name] == "image":
            given = [prepare(Image.fromarray(PIXELS[k]), return_tensors="pt") for k in sorted(PIXELS)]
        elif READS[name] == "sound":
            given = [prepare(HEARD[k] / 32768, sampling_rate=RATE, return_tensors="pt") for k in sorted(HEARD)]
        else:
            given = [prepare(text.text, return_tensors="pt") for text in probe.texts]
        network = model.get_encoder() if name in ("t5", "bart", "whisper") else model
        with torch.inference_mode():
            out = [network(one[network.main_input_name], output_hidden_states=True) for one in given]
        return [dict(zip(SITES[:-2], (h[0].numpy() for h in one.hidden_states), strict=False))
                | {"final": one.last_hidden_state[0].numpy()} for one in out]
    return {name: states(name) for name in BUILD}


@pytest.mark.parametrize("policy", TAKE)
@pytest.mark.parametrize("name", BUILD)
def test_rows_equal_a_forward_pass_by_hand_of_one_item_at_a_time(loaded, probes, by_hand, name, policy):
    found = extract(loaded[name], probes[READS[name]], Policy.parse(policy))
    assert list(found.rows) == SITES
    for site in (*SITES[:-2], "final"):
        expected = np.stack([TAKE[policy](states[site]) for states in by_hand[name]])
        assert expected.std(0).max() > 1e-3 or (site, policy) == ("embedding", "first")
        np.testing.assert_allclose(found.rows[site], expected, atol=2e-5, rtol=1e-4, err_msg=site)


@pytest.mark.parametrize("policy", ["first", "last"])
@pytest.mark.parametrize("name", BUILD)
def test_the_last_block_is_what_enters_the_final_norm_where_there_is_one(loaded, probes, name, policy):
    rows = extract(loaded[name], probes[READS[name]], Policy.parse(policy)).rows
    block = torch.from_numpy(rows[f"block {BLOCKS}"])
    if name in LAST_NORM:
        block = getattr(loaded[name].base, LAST_NORM[name])(block).detach()
        assert not np.allclose(rows[f"block {BLOCKS}"], rows["final"], atol=1e-2)
    np.testing.assert_allclose(block.numpy(), rows["final"], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", BUILD)
def test_row_ids_follow_the_probe_and_no_loss_is_given(loaded, probes, name):
    probe = probes[READS[name]]
    found = extract(loaded[name], probe, Policy.parse("last"))
    assert found.row_ids == tuple(text.id for text in probe.texts)
    assert found.document_ids == tuple(text.document for text in probe.texts)
    assert (found.facts["loss"], found.facts["loss_tokens"], found.facts["texts"]) == (None, 0, len(probe.texts))


def test_every_position_becomes_a_row_that_is_named_by_its_item_and_place(loaded, probes, by_hand):
    found = extract(loaded["vit"], probes["image"], Policy.parse("every-2-keep-first"))
    assert found.row_ids[:4] == ("cat/01.png@0", "cat/01.png@2", "cat/01.png@4", "cat/03.png@0")
    np.testing.assert_allclose(found.rows["final"][:3], by_hand["vit"][0]["final"][::2], atol=2e-5)


def test_items_of_a_folder_are_named_by_their_relative_path_and_labelled_by_their_folder(probes):
    for kind, names in (("image", PIXELS), ("sound", HEARD)):
        probe = probes[kind]
        assert probe.kind == kind and [text.id for text in probe.texts] == sorted(names)
        assert [text.labels for text in probe.texts] == [{"folder": name.split("/")[0]} for name in sorted(names)]


def test_the_same_files_elsewhere_are_the_same_probe_and_one_changed_pixel_is_another(tmp_path, probes):
    changed = {name: image.copy() for name, image in PIXELS.items()}
    changed["cat/01.png"][0, 0, 0] ^= 1
    for folder, images in (("same", PIXELS), ("other", changed)):
        _ = [write_image(tmp_path / folder / name, image) for name, image in images.items()]
    assert load_probe(tmp_path / "same").digest == probes["image"].digest
    assert load_probe(tmp_path / "other").digest != probes["image"].digest


@pytest.mark.parametrize("name", BUILD)
def test_a_probe_of_another_kind_is_refused_with_both_kinds_named(loaded, probes, name):
    for kind in {"text", "image", "sound"} - {READS[name]}:
        with pytest.raises(ExplorerError, match=f"model reads {READS[name]}s and the probe .* holds {kind}s"):
            extract(loaded[name], probes[kind], Policy.parse("last"))


def test_the_two_channels_of_a_stereo_sound_are_averaged(tmp_path, loaded):
    for k in range(4):
        left, right = tone(k), tone(k + 7)
        write_sound(tmp_path / f"stereo/{k}.wav", np.stack([left, right], axis=1), channels=2)
        write_sound(tmp_path / f"mono/{k}.wav", np.round((left.astype("<i2") + right.astype("<i2")) / 2))
    rows = [extract(loaded["wav2vec2"], load_probe(tmp_path / kind), Policy.parse("mean")).rows["final"]
            for kind in ("stereo", "mono")]
    np.testing.assert_allclose(*rows, atol=1e-3)


def test_the_silence_that_fills_a_short_sound_up_never_enters_a_row(tmp_path, loaded):
    for k in range(4):
        write_sound(tmp_path / f"{k}.wav", tone(k, RATE // 4))
    probe = load_probe(tmp_path)
    positions = extract(loaded["whisper"], probe, Policy.parse("every-1-keep-first"))
    assert len(positions.row_ids) <= 4 * 14, "a quarter of a second is 12.5 of 50 positions"


# --- what cannot be read ---


def refused(loaded, folder, name):
    """The probe is refused, at loading or at extraction, in one printable line that names the file."""
    with pytest.raises(ExplorerError) as caught:
        extract(loaded, load_probe(folder), Policy.parse("last"))
    message = str(caught.value)
    assert name in message and message.isprintable(), message
    return message


def good_images(folder):
    _ = [write_image(folder / f"a{k}.png", noise(k, (16, 16, 3))) for k in range(4)]


def png_claiming(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b""))


BROKEN_IMAGES = {"empty": b"", "text": b"these are words\n" * 9, "60000 x 60000": png_claiming(60_000, 60_000),
                 "8000 x 8000": png_claiming(8_000, 8_000), "10000 x 10000": png_claiming(10_000, 10_000),
                 "too few pixels": png_claiming(100, 100), "no pixel": png_claiming(0, 5)}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("content", BROKEN_IMAGES.values(), ids=BROKEN_IMAGES)
def test_a_broken_or_huge_image_is_named(tmp_path, loaded, content):
    good_images(tmp_path)
    (tmp_path / "odd.png").write_bytes(content)
    assert "image" in refused(loaded["vit"], tmp_path, "odd.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp"])
def test_an_image_cut_anywhere_is_named(tmp_path, loaded, suffix):
    good_images(tmp_path)
    odd = write_image(tmp_path / f"odd.{suffix}", noise(9, (16, 16, 3)))
    whole = odd.read_bytes()
    for keep in sorted({0, 1, 9, 17, 25, 30, 45, len(whole) // 4, len(whole) // 2, len(whole) * 3 // 4}):
        odd.write_bytes(whole[:keep])
        refused(loaded["vit"], tmp_path, odd.name)


def test_an_image_of_another_format_under_the_name_of_a_png_is_named(tmp_path, loaded):
    good_images(tmp_path)
    for kind in ("GIF", "TIFF", "PPM"):
        Image.fromarray(noise(9, (16, 16, 3))).save(tmp_path / "odd.png", format=kind)
        refused(loaded["vit"], tmp_path, "odd.png")


def test_sixteen_bit_and_eight_bit_pictures_of_one_thing_give_the_same_rows(tmp_path, loaded):
    for k in range(4):
        grey = noise(k, (16, 16))
        write_image(tmp_path / f"eight/{k}.png", grey)
        write_image(tmp_path / f"sixteen/{k}.png", grey.astype(np.uint16) * 257)
    rows = [extract(loaded["vit"], load_probe(tmp_path / kind), Policy.parse("last")).rows["final"]
            for kind in ("eight", "sixteen")]
    np.testing.assert_allclose(*rows, atol=1e-4)


def good_sounds(folder):
    _ = [write_sound(folder / f"a{k}.wav", tone(k, 4000)) for k in range(4)]


ODD_SOUNDS = {
    "another rate": lambda path: write_sound(path, tone(1, 4000), rate=8000),
    "8 bits": lambda path: write_sound(path, noise(1, 4000), width=1),
    "32 bits": lambda path: write_sound(path, tone(1, 4000).astype("<i4"), width=4),
    "31 seconds": lambda path: write_sound(path, np.zeros(31 * RATE)),
    "no sample": lambda path: write_sound(path, np.zeros(0)),
    "ten samples": lambda path: write_sound(path, tone(1, 10)),
    "text": lambda path: path.write_bytes(b"these are words\n" * 9),
    "empty": lambda path: path.write_bytes(b""),
    "half a header": lambda path: os.truncate(write_sound(path, tone(1, 4000)), 30),
    "half of its samples": lambda path: os.truncate(write_sound(path, tone(1, 4000)), 4044),
    "half of its samples and a byte": lambda path: os.truncate(write_sound(path, tone(1, 4000)), 4045),
}


@pytest.mark.parametrize("spoil", ODD_SOUNDS.values(), ids=ODD_SOUNDS)
def test_a_sound_that_cannot_be_used_is_named(tmp_path, loaded, spoil):
    good_sounds(tmp_path)
    spoil(tmp_path / "odd.wav")
    message = refused(loaded["wav2vec2"], tmp_path, "odd.wav")
    assert "sound" in message and ("8000 samples" in message) == (spoil is ODD_SOUNDS["another rate"])


def test_a_folder_of_both_kinds_or_of_neither_is_refused(tmp_path):
    good_images(tmp_path / "both")
    good_sounds(tmp_path / "both")
    (tmp_path / "neither").mkdir()
    (tmp_path / "neither" / "notes.txt").write_text("words\n")
    for folder, count in (("both", 8), ("neither", 0)):
        with pytest.raises(ExplorerError, match=f"{folder} holds {count} images and sounds; a probe is a folder of"):
            load_probe(tmp_path / folder)
