#!/usr/bin/env python3
"""Compares the errors of weft and diffusers at full size: HunyuanDiT v1.2 with 1.5 billion random weights on one GPU.

usage: compare_with_diffusers.py [--command build/examples/weft] [--sizes 1024 512 2048 768x1280 1024x576]
                                 [--dtypes bf16 fp16 fp8 fp32] [--limit SECONDS]
needs: torch, diffusers, safetensors, one CUDA GPU with 64 GB free, and 5 GB of memory for the model's folder

Writes the model as diffusers does, in bf16, and inputs for a guidance batch of two; runs `weft forward` and
diffusers on the same GPU in the same dtype, and both against diffusers in float64 from the same bf16 weights. A size is
HEIGHTxWIDTH in pixels, or the side of a square.

The table has the relative L2 distances to the reference. To pass, weft may be 1.1 times as far from it as diffusers in bf16
and fp16, and that or 1e-5 in fp32, which is run up to 2304 tokens; fp8, which diffusers does not offer, is reported beside
diffusers' bf16. 1024 pixels in bf16 is run twice: the bytes must be equal, and the second
run, with all files in memory, may take 5 s from the start of the process to its end.

Exit code: 0 if everything passes, 1 if not or if the limit of time left something out.
"""
import time

START = time.perf_counter()

import argparse
import copy
import datetime
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

try:
    import diffusers
    import torch
    from diffusers.models.embeddings import get_2d_rotary_pos_embed
    from diffusers.models.transformers.hunyuan_transformer_2d import HunyuanDiT2DModel
    from safetensors.torch import load_file, save_file
except ImportError as error:
    print(f"compare_with_diffusers.py: {error}; install torch, diffusers and safetensors for {sys.executable}",
          file=sys.stderr)
    sys.exit(2)

V12 = dict(num_attention_heads=16, attention_head_dim=88, in_channels=4, patch_size=2, activation_fn="gelu-approximate",
           sample_size=128, hidden_size=1408, num_layers=40, mlp_ratio=4.3637, learn_sigma=True, cross_attention_dim=1024,
           cross_attention_dim_t5=2048, pooled_projection_dim=1024, text_len=77, text_len_t5=256,
           use_style_cond_and_image_meta_size=False)
SCHEDULER = dict(_class_name="DDPMScheduler", num_train_timesteps=1000, beta_start=0.00085, beta_end=0.018,
                 beta_schedule="scaled_linear", prediction_type="v_prediction", clip_sample=False, steps_offset=1,
                 timestep_spacing="leading")

PEER_DTYPES = dict(bf16=torch.bfloat16, fp16=torch.float16, fp8=torch.bfloat16, fp32=torch.float32)
PIXELS_PER_TOKEN = 16      # a side of the latents' 8 times a patch of 2
ROPE_BASE = 32             # tokens on a side of the grid that positions are fitted into
MOST_FP32_TOKENS = 2304    # of 1024x576
MOST_RATIO = 1.1           # of weft's error to diffusers' own
MOST_FP32_ERROR = 1e-5
MOST_FIRST_STEP = 5.0      # seconds
MODEL_BYTES = 5 << 30      # with inputs and results


def log(text):
    print(f"[{time.perf_counter() - START:6.1f} s] {text}", flush=True)


def parse_size(text):
    """(height, width) in pixels."""
    height, _, width = text.partition("x")
    try:
        size = int(height), int(width or height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no size; 1024 and 768x1280 are")
    if min(size) < PIXELS_PER_TOKEN or any(side % PIXELS_PER_TOKEN for side in size):
        raise argparse.ArgumentTypeError(f"{text} must have sides that are multiples of {PIXELS_PER_TOKEN}")
    return size


def name_of(size):
    return "×".join(map(str, size))


def grid_of(size):
    """(rows, columns) of tokens."""
    return tuple(side // PIXELS_PER_TOKEN for side in size)


def crop_region(grid):
    """(first, end) corner of a grid of tokens as HunyuanDiTPipeline places it: fitted into the base's square and centred."""
    sides = [round(ROPE_BASE / max(grid) * n) for n in grid]
    first = [round((ROPE_BASE - side) / 2) for side in sides]
    return tuple(first), tuple(start + side for start, side in zip(first, sides))


def random_model():
    """A model in float32 with numbers that bf16 can hold. No parameter is 0 or 1, every layer keeps the scale of its input,
    and queries and keys are large enough for attention not to be uniform."""
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = HunyuanDiT2DModel(**V12)
    model = model.eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith(("norm_q.weight", "norm_k.weight")):
            parameter.uniform_(1, 2)
        elif parameter.ndim == 1 and name.endswith(".weight"):
            parameter.uniform_(0.5, 1.5)
        elif parameter.ndim == 1:
            parameter.normal_(0, 0.1)
        elif name == "text_embedding_padding":
            parameter.normal_()
        else:
            parameter.normal_(0, (parameter.numel() / parameter.shape[0]) ** -0.5)
        parameter.copy_(parameter.bfloat16())
    return model


def random_inputs(size):
    """Inputs that bf16 and fp16 can hold: two captions of different lengths and two timesteps."""
    generator = torch.Generator().manual_seed(1)
    randn = lambda *shape: torch.randn(*shape, generator=generator).bfloat16().float()
    mask = lambda length, *counts: torch.stack([(torch.arange(length) < n).float() for n in counts])
    height, width = (side // 8 for side in size)
    return dict(hidden_states=randn(2, 4, height, width), timestep=torch.tensor([500.0, 37.0]),
                encoder_hidden_states=randn(2, 77, 1024), text_embedding_mask=mask(77, 2, 31),
                encoder_hidden_states_t5=randn(2, 256, 2048), text_embedding_mask_t5=mask(256, 1, 200))


def evaluate(model, inputs, size):
    """diffusers' prediction, in float64: (2, 8, height/8, width/8)."""
    grid = grid_of(size)
    rope = get_2d_rotary_pos_embed(V12["attention_head_dim"], crop_region(grid), grid, device=torch.device("cuda"),
                                   output_type="pt")
    given = {name: value.to("cuda", model.dtype) for name, value in inputs.items()}
    with torch.no_grad():
        sample = model(**given, image_rotary_emb=rope, return_dict=False)[0].double()
    torch.cuda.synchronize()
    return sample


def attention_by_heads(q, k, v, *_, **__):
    """Attention a head at a time, so that the scores of 2048 pixels in float64 fit."""
    heads = [torch.softmax(q_ @ k_.T * q.shape[-1] ** -0.5, dim=-1) @ v_
             for q_, k_, v_ in zip(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1))]
    return torch.stack(heads).view(*q.shape[:-1], v.shape[-1])


def evaluate_in_float64(model, inputs, size):
    """Evaluates with float64 where diffusers' norms, SiLUs and rotations ask for float32."""
    with mock.patch.object(torch.Tensor, "float", torch.Tensor.double), \
         mock.patch.object(torch.nn.functional, "scaled_dot_product_attention", attention_by_heads):
        return evaluate(model, inputs, size)


def relative_l2(found, right):
    return ((found - right).norm() / right.norm()).item()


class Command:
    """weft forward with the model in a folder."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.inputs, self.out = folder / "inputs.safetensors", folder / "out.safetensors"

    def run(self, dtype, seconds):
        """(seconds, what it printed, None or why it failed); the prediction is in `out`."""
        self.out.unlink(missing_ok=True)
        begin = time.perf_counter()
        try:
            done = subprocess.run([self.program, "forward", "--backend", "cuda", "--dtype", dtype, "--model", self.folder,
                                   "--inputs", self.inputs, "--out", self.out], capture_output=True, text=True,
                                  timeout=seconds)
        except subprocess.TimeoutExpired:
            return time.perf_counter() - begin, "", f"did not end in {seconds:.0f} s"
        wall = time.perf_counter() - begin
        if done.returncode != 0:
            return wall, done.stdout, f"exit code {done.returncode}: {done.stderr.strip()}"
        return wall, done.stdout, None

    def sample(self):
        return load_file(self.out)["sample"].to("cuda", torch.float64)


def verdict(dtype, weft, peer):
    if not weft < float("inf"):
        return "FAILS"
    if dtype == "fp8":
        return "reported"
    passes = weft <= MOST_RATIO * peer or (dtype == "fp32" and weft <= MOST_FP32_ERROR)
    return "passes" if passes else "FAILS"


def row(name, dtype, weft=None, peer=None, wall=None, outcome="FAILS"):
    number = lambda value, form: format(value, form) if value is not None else "–"
    ratio = weft / peer if weft is not None and peer else None
    return (f"| {name} | {dtype} | {number(weft, '.2e')} | {number(peer, '.2e')} | {number(ratio, '.2f')} "
            f"| {number(wall, '.1f')} | {outcome} |")


HEAD = ["| height × width | dtype | weft | diffusers | ratio | command, s | |", "|---|---|---|---|---|---|---|"]


class Comparison:
    def __init__(self, command, limit):
        self.command, self.limit = command, limit
        self.rows, self.notes, self.passes = [], [], True

    def left(self):
        return self.limit - (time.perf_counter() - START)

    def note(self, text, passes=True):
        self.notes.append(text)
        self.passes = self.passes and passes
        log(text)

    def add(self, *case, outcome, **figures):
        self.rows.append(row(*case, outcome=outcome, **figures))
        self.passes = self.passes and outcome in ("passes", "reported")
        log(self.rows[-1])

    def first_step(self, name):
        """Runs again, with everything in the page cache; `out` holds the first run's prediction."""
        before = self.command.out.read_bytes()
        wall, printed, fault = self.command.run("bf16", max(self.left(), 1))
        if fault:
            return self.note(f"{name} bf16 again: {fault}", passes=False)
        same = self.command.out.read_bytes() == before
        self.note(f"{name} bf16 again: {'the same' if same else 'OTHER'} bytes", passes=same)
        self.note(f"from start to the end of a first step, {name} bf16: {wall:.2f} s, at most {MOST_FIRST_STEP:.0f} "
                  f"({', '.join(printed.splitlines())})", passes=wall <= MOST_FIRST_STEP)

    def size(self, size, dtypes, model, reference_model):
        name, inputs = name_of(size), random_inputs(size)
        save_file(inputs, self.command.inputs)
        begin = time.perf_counter()
        reference = evaluate_in_float64(reference_model, inputs, size)
        log(f"{name}: reference in {time.perf_counter() - begin:.1f} s, deviation {reference.std().item():.2f}, at most "
            f"{reference.abs().max().item():.1f}, between the two images "
            f"{relative_l2(reference[0], reference[1]):.2f}")
        if not 0.01 < reference.std().item() < 100:
            self.note(f"{name}: the random model's output is degenerate", passes=False)
        peers = {}
        for dtype in dtypes:
            if self.left() < 1:
                self.add(name, dtype, outcome="not run: out of time")
                continue
            peer_dtype = PEER_DTYPES[dtype]
            if peer_dtype not in peers:
                peers[peer_dtype] = relative_l2(evaluate(copy.deepcopy(model).to(peer_dtype), inputs, size), reference)
            torch.cuda.empty_cache()
            wall, _, fault = self.command.run(dtype, max(self.left(), 1))
            if fault:
                self.note(f"{name} {dtype}: {fault}", passes=False)
                self.add(name, dtype, peer=peers[peer_dtype], wall=wall, outcome="FAILS")
                continue
            weft = relative_l2(self.command.sample(), reference)
            self.add(name, dtype, weft=weft, peer=peers[peer_dtype], wall=wall,
                     outcome=verdict(dtype, weft, peers[peer_dtype]))
            if size == (1024, 1024) and dtype == "bf16":
                self.first_step(name)


def write_model(model, folder):
    model.to(torch.bfloat16).save_pretrained(folder / "transformer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER, indent=2))


def roomy_folder():
    """A folder in memory if the model fits, so that it is in the page cache."""
    memory = pathlib.Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > MODEL_BYTES
    return memory if has_room else pathlib.Path(tempfile.gettempdir())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="build/examples/weft", help="the program weft")
    parser.add_argument("--sizes", nargs="+", type=parse_size, metavar="SIZE",
                        default=[(1024, 1024), (512, 512), (2048, 2048), (768, 1280), (1024, 576)])
    parser.add_argument("--dtypes", nargs="+", choices=list(PEER_DTYPES), default=list(PEER_DTYPES))
    parser.add_argument("--limit", type=float, default=150, help="seconds after which cases are left out (150)")
    asked = parser.parse_args()
    program = shutil.which(asked.command)
    if not program:
        parser.error(f"there is no program {asked.command}; build it, or give --command build/examples/weft")
    if not torch.cuda.is_available():
        parser.error("torch sees no CUDA GPU, and this compares two programs on one")
    diffusers.utils.logging.set_verbosity_error()
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32; for products that is the default
    log(f"torch {torch.__version__}, diffusers {diffusers.__version__}, {torch.cuda.get_device_name()}")

    with tempfile.TemporaryDirectory(dir=roomy_folder(), prefix="hunyuan-") as folder:
        model = random_model()
        reference_model = copy.deepcopy(model).double()
        log(f"{sum(parameter.numel() for parameter in model.parameters()):,} random weights")
        folder = pathlib.Path(folder)
        write_model(copy.deepcopy(model), folder)
        log(f"model written to {folder}")
        comparison = Comparison(Command(program, folder), asked.limit)
        for size in asked.sizes:
            tokens = math.prod(grid_of(size))
            dtypes = [dtype for dtype in asked.dtypes if dtype != "fp32" or tokens <= MOST_FP32_TOKENS]
            try:
                if comparison.left() < 1:
                    raise RuntimeError("out of time")
                comparison.size(size, dtypes, model, reference_model)
            except RuntimeError as error:  # such as a GPU's memory that is too small; other sizes may fit
                comparison.note(f"{name_of(size)}: not run: {error}", passes=False)
            torch.cuda.empty_cache()

    date = datetime.date.today().isoformat()
    print(f"\nRelative L2 to diffusers in float64, {torch.cuda.get_device_name()}, {date}:\n")
    print("\n".join(HEAD + comparison.rows + [""] + comparison.notes))
    log("everything passes" if comparison.passes else "NOT everything passes")
    return 0 if comparison.passes else 1


if __name__ == "__main__":
    sys.exit(main())
