"""Writes small pipelines of PixArt, SD3 and FLUX with random weights, and what diffusers generates with them.

usage: make.py [NAME...]

Every folder has `model/`, a pipeline as diffusers stores it, with weights in fp16, and of each run RUN_inputs and
RUN_expected, as hunyuan_pipeline has them. Needs torch, diffusers 0.42, transformers 5 and sentencepiece. T5's and CLIP's
tokenizers are trained on the prompts below.
"""

import collections
import io
import itertools
import json
import pathlib
import shutil
import sys

import sentencepiece
import torch
import transformers
from diffusers import (AutoencoderKL, DiffusionPipeline, FluxTransformer2DModel, PixArtTransformer2DModel,
                       SD3Transformer2DModel)
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
PROMPTS = ["An old lighthouse keeper repairs a brass telescope while a storm rolls over the northern sea",
           "  Twelve glass jars of coloured sand, dried flowers and tiny folded paper boats on a SHELF ",
           "a red fox asleep in fresh snow, soft light, highly detailed", "blurry, deformed, low quality"]
ENDS = ["<|startoftext|>", "<|endoftext|>"]
SPECIAL = dict(lstrip=False, normalized=False, rstrip=False, single_word=False, special=True)

FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0}
DYNAMIC = FLOW | {"base_image_seq_len": 256, "base_shift": 0.5, "max_image_seq_len": 4096, "max_shift": 1.15,
                  "use_dynamic_shifting": True}
DPM = {"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++", "beta_start": 0.0001, "beta_end": 0.004,
       "beta_schedule": "linear", "num_train_timesteps": 1000, "prediction_type": "epsilon", "solver_order": 2,
       "timestep_spacing": "linspace"}


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def added(tokens):
    return {str(i): {"content": token} | SPECIAL for i, token in tokens.items()}


def write_t5_tokenizer(folder):
    """Returns the number of pieces."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([prompt.lower() for prompt in PROMPTS] + PROMPTS), model_writer=model, model_type="unigram",
        vocab_size=200, hard_vocab_limit=False, normalization_rule_name="identity", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        minloglevel=2)
    folder.mkdir(parents=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    write_json(folder / "tokenizer_config.json",
               {"added_tokens_decoder": added({0: "<pad>", 1: "</s>", 2: "<unk>"}), "eos_token": "</s>", "extra_ids": 0,
                "legacy": True, "model_max_length": 512, "pad_token": "<pad>", "tokenizer_class": "T5Tokenizer",
                "unk_token": "<unk>"})
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).get_piece_size()


def byte_alphabet():
    """CLIP's printable characters for bytes."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + i) for i in range(len(others))]


def byte_pairs(count):
    """The merges of the words of the prompts, most frequent pairs first."""
    words = collections.Counter(word for prompt in PROMPTS for word in prompt.lower().replace(",", " ").split())
    parts = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    merges = []
    for _ in range(count):
        pairs = collections.Counter()
        for word, times in words.items():
            for pair in itertools.pairwise(parts[word]):
                pairs[pair] += times
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for word, symbols in parts.items():
            i = 0
            while i + 1 < len(symbols):
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i:i + 2] = ["".join(best)]
                i += 1
    return merges


def write_clip_tokenizer(folder, pad):
    """Returns the number of tokens."""
    merges, alphabet = byte_pairs(60), byte_alphabet()
    tokens = alphabet + [letter + "</w>" for letter in alphabet] + ["".join(pair) for pair in merges] + ENDS
    ids = {token: i for i, token in enumerate(tokens)}
    write_json(folder / "vocab.json", ids)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, merges)]) + "\n")
    write_json(folder / "tokenizer_config.json",
               {"added_tokens_decoder": added({ids[token]: token for token in dict.fromkeys([pad, *ENDS])}),
                "bos_token": ENDS[0], "do_lower_case": True, "eos_token": ENDS[1], "model_max_length": 77, "pad_token": pad,
                "tokenizer_class": "CLIPTokenizer", "unk_token": ENDS[1]})
    return len(tokens)


def randomised(model):
    """The model with weights that fp16 can hold: every layer keeps the scale of its input, and no parameter is 0 or 1."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embed" in name and "weight" in name and "linear" not in name and "proj" not in name:
                parameter.normal_()
            elif parameter.ndim > 1:
                parameter.normal_(0, (parameter.numel() / parameter.shape[0]) ** -0.5)
            elif name.endswith("weight"):
                parameter.uniform_(0.5, 1.5)
            else:
                parameter.normal_(0, 0.1)
    return model.half().eval()


def t5(tokens, width):
    return randomised(transformers.T5EncoderModel(transformers.T5Config(
        vocab_size=tokens, d_model=width, d_kv=8, d_ff=2 * width, num_layers=2, num_heads=3, feed_forward_proj="gated-gelu",
        is_encoder_decoder=False, use_cache=False)))


def clip(kind, tokens, width, activation):
    return randomised(kind(transformers.CLIPTextConfig(
        vocab_size=tokens, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, num_attention_heads=2,
        hidden_act=activation, projection_dim=width, eos_token_id=2, bos_token_id=0, pad_token_id=1)))


def autoencoder(channels, **settings):
    return randomised(AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1, latent_channels=channels, norm_num_groups=4, sample_size=64, **settings))




class Writer:
    """Writes the parts of a pipeline."""

    def __init__(self, name, pipeline, seed=0):
        torch.manual_seed(seed)
        self.folder = HERE / name / "model"
        shutil.rmtree(self.folder.parent, ignore_errors=True)
        self.index = {"_class_name": pipeline, "_diffusers_version": "0.42.1"}

    def t5(self, suffix, width):
        tokens = write_t5_tokenizer(self.folder / f"tokenizer{suffix}")
        self.index[f"tokenizer{suffix}"] = ["transformers", "T5Tokenizer"]
        self.part(f"text_encoder{suffix}", t5(tokens, width))

    def clip(self, suffix, width, kind=transformers.CLIPTextModelWithProjection, pad=ENDS[1], activation="quick_gelu"):
        tokens = write_clip_tokenizer(self.folder / f"tokenizer{suffix}", pad)
        self.index[f"tokenizer{suffix}"] = ["transformers", "CLIPTokenizer"]
        self.part(f"text_encoder{suffix}", clip(kind, tokens, width, activation))

    def part(self, name, model):
        model.save_pretrained(self.folder / name)
        self.index[name] = [type(model).__module__.partition(".")[0], type(model).__name__]

    def scheduler(self, settings):
        write_json(self.folder / "scheduler" / "scheduler_config.json", settings)
        self.index["scheduler"] = ["diffusers", settings["_class_name"]]

    def written(self, **replaced):
        """The pipeline, read from its folder to run in float32."""
        write_json(self.folder / "model_index.json", self.index)
        pipeline = DiffusionPipeline.from_pretrained(self.folder, torch_dtype=torch.float32, **replaced)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.image_processor.postprocess = lambda image, output_type: image  # neither clamped nor rounded
        return pipeline

    def drop_encoder(self):
        """Leaves out the half of the autoencoder that no pipeline here runs."""
        path = self.folder / "vae" / "diffusion_pytorch_model.safetensors"
        save_file({name: value for name, value in load_file(path).items() if not name.startswith(("encoder.", "quant_conv."))},
                  path)

    def run(self, pipeline, name, latents, height, width, seed=1, unpack=None, **call):
        """`latents` is the shape of a request's state."""
        noise = torch.randn(latents, generator=torch.Generator().manual_seed(seed))
        given = pipeline._pack_latents(noise, *noise.shape) if unpack else noise
        call = dict(height=height, width=width, latents=given, return_dict=False) | call
        state = pipeline(**call, output_type="latent")[0]
        if unpack:
            state = pipeline._unpack_latents(state, height, width, pipeline.vae_scale_factor)
        image = pipeline(**call, output_type="pt")[0]
        negatives = call.get("negative_prompt") or []
        metadata = dict(prompts=json.dumps(call["prompt"]), negative_prompts=json.dumps(negatives), height=str(height),
                        width=str(width), steps=str(call["num_inference_steps"]), guidance_scale=str(call["guidance_scale"]),
                        guidance_rescale="0")
        save_file({"latents": noise}, self.folder.parent / f"{name}_inputs.safetensors", metadata)
        save_file({"latents": state.contiguous(), "image": image.contiguous()},
                  self.folder.parent / f"{name}_expected.safetensors")
        print(f"{self.folder.parent.name} {name}: latents {tuple(state.shape)}, deviation {state.std():.2f}; "
              f"image {tuple(image.shape)}, deviation {image.std():.2f}")


def write_pixart(name, pipeline_class, **settings):
    """Σ, or α at 1024 px, which is told the image's size."""
    writer = Writer(name, pipeline_class)
    writer.t5("", 24)
    writer.part("transformer", randomised(PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=12, cross_attention_dim=24, caption_channels=24, in_channels=4,
        out_channels=8, num_layers=3, patch_size=2, **settings)))
    writer.part("vae", autoencoder(4, scaling_factor=0.13025))
    writer.scheduler(DPM)
    pipeline = writer.written()
    call = dict(prompt=PROMPTS[:2], num_inference_steps=4, guidance_scale=4.5, clean_caption=False)
    writer.run(pipeline, "run", (2, 4, 4, 8), 32, 64, negative_prompt=[PROMPTS[3], ""], use_resolution_binning=False, **call)
    if settings["sample_size"] == 32:  # whose bins are those of 256 pixels
        writer.run(pipeline, "run_binned", (1, 4, 26, 36), 40, 56, use_resolution_binning=True,
                   **call | dict(prompt=PROMPTS[2:3], num_inference_steps=2))
    writer.drop_encoder()


def write_sd3(name):
    writer = Writer(name, "StableDiffusion3Pipeline")
    writer.clip("", 8)
    writer.clip("_2", 12, pad="!", activation="gelu")
    writer.t5("_3", 24)
    writer.index |= {"image_encoder": [None, None], "feature_extractor": [None, None]}
    writer.part("transformer", randomised(SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, out_channels=16, num_layers=2, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=24, caption_projection_dim=16, pooled_projection_dim=20,
        pos_embed_max_size=12, dual_attention_layers=(0,), qk_norm="rms_norm")))
    writer.part("vae", autoencoder(16, scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False,
                                   use_post_quant_conv=False))
    writer.scheduler(FLOW)
    call = dict(prompt=PROMPTS[:2], negative_prompt=[PROMPTS[3], ""], num_inference_steps=4, guidance_scale=7.0)
    writer.run(writer.written(), "run", (2, 16, 4, 8), 32, 64, **call)
    writer.run(writer.written(text_encoder_3=None, tokenizer_3=None), "run_without_t5", (1, 16, 4, 8), 32, 64,
               **call | dict(prompt=PROMPTS[2:3], negative_prompt=PROMPTS[3:]))
    writer.drop_encoder()


def write_flux(name, steps, **settings):
    writer = Writer(name, "FluxPipeline")
    writer.clip("", 12, kind=transformers.CLIPTextModel)
    writer.t5("_2", 24)
    writer.index |= {"image_encoder": [None, None], "feature_extractor": [None, None]}
    writer.part("transformer", randomised(FluxTransformer2DModel(
        in_channels=64, num_layers=1, num_single_layers=2, attention_head_dim=12, num_attention_heads=2,
        joint_attention_dim=24, pooled_projection_dim=12, axes_dims_rope=(4, 4, 4), **settings)))
    writer.part("vae", autoencoder(16, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False,
                                   use_post_quant_conv=False))
    writer.scheduler(DYNAMIC if settings["guidance_embeds"] else FLOW | {"shift": 1.0})
    writer.run(writer.written(), "run", (2, 16, 4, 8), 32, 64, prompt=PROMPTS[:2], num_inference_steps=steps,
               guidance_scale=3.5 if settings["guidance_embeds"] else 0.0, unpack=True)
    writer.drop_encoder()


PIPELINES = {
    "pixart_sigma": lambda name: write_pixart(name, "PixArtSigmaPipeline", sample_size=32),
    "pixart_alpha": lambda name: write_pixart(name, "PixArtAlphaPipeline", sample_size=128, use_additional_conditions=True),
    "sd3": write_sd3,
    "flux_dev": lambda name: write_flux(name, 4, guidance_embeds=True),
    "flux_schnell": lambda name: write_flux(name, 2, guidance_embeds=False),
}

for name in sys.argv[1:] or PIPELINES:
    PIPELINES[name](name)
