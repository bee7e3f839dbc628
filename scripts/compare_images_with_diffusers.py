#!/usr/bin/env python3
"""Compares the images that weft and diffusers make of a pipeline's folder, from the same prompts and the same noise.

usage: compare_images_with_diffusers.py MODEL_DIR [--prompt TEXT]... [--negative TEXT] [--height PX] [--width PX]
           [--steps N] [--guidance G] [--seed N] [--dtypes fp32|bf16|fp16|fp8...] [--reference] [--backend cuda|host]
           [--command build/examples/weft] [-- OPTION OF weft generate...]
needs: torch, diffusers, transformers, safetensors, and what the pipeline's tokenizers need, such as sentencepiece

What is not given is as in diffusers' pipeline. MODEL_DIR is of HunyuanDiT, PixArt, SD3 or FLUX. For each dtype diffusers runs
its pipeline (in bf16 beside fp8, which it does not offer), then `weft generate` runs with the same noise in a file. The table
has relative L2 distances of the final latents and of the images before they are clamped: to diffusers in the same dtype, for
fp8 to weft in bf16 too, and with --reference to diffusers in fp32, weft's beside diffusers' own. Options after -- go to weft,
such as `-- --cfg 2 --ulysses 2`.

To pass, weft must be within 1e-3 of diffusers in fp32, and otherwise within 0.5, where unrelated images are about 1.4 apart:
rounding grows over the steps, and --reference shows how far it takes diffusers itself. Exit code: 0 if all pass, 1 if not, 2 if
something is missing.
"""
import argparse
import contextlib
import gc
import importlib
import inspect
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

TRANSFORMERS = {"HunyuanDiTPipeline": "HunyuanDiT2DModel", "PixArtAlphaPipeline": "PixArtTransformer2DModel",
                "PixArtSigmaPipeline": "PixArtTransformer2DModel", "StableDiffusion3Pipeline": "SD3Transformer2DModel",
                "FluxPipeline": "FluxTransformer2DModel"}
PEER_DTYPES = dict(fp32="float32", bf16="bfloat16", fp16="float16", fp8="bfloat16")
BOUNDS = dict(fp32=1e-3, bf16=0.5, fp16=0.5, fp8=0.5)
PROMPTS = ["An astronaut riding a horse on the moon, photograph, highly detailed"]


def reject(text):
    print(f"{pathlib.Path(__file__).name}: {text}", file=sys.stderr)
    sys.exit(2)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, metavar="MODEL_DIR")
    parser.add_argument("--prompt", action="append", dest="prompts", help="once for every image")
    parser.add_argument("--negative", default="")
    for side in ("--height", "--width", "--steps"):
        parser.add_argument(side, type=int)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtypes", nargs="+", choices=PEER_DTYPES, default=None, help="(cuda: bf16 fp8; host: fp32)")
    parser.add_argument("--reference", action="store_true", help="run diffusers in fp32 too")
    parser.add_argument("--backend", choices=("cuda", "host"), default="cuda")
    parser.add_argument("--command", default="build/examples/weft", help="the program weft")
    own, weft = sys.argv[1:], []
    if "--" in own:
        weft = own[own.index("--") + 1:]
        own = own[:own.index("--")]
    asked = parser.parse_args(own)
    asked.weft = weft
    asked.prompts = asked.prompts or PROMPTS
    asked.dtypes = asked.dtypes or (["bf16", "fp8"] if asked.backend == "cuda" else ["fp32"])
    if asked.backend == "host" and asked.dtypes != ["fp32"]:
        reject("the host computes in fp32; give --dtypes fp32, or --backend cuda")
    asked.program = shutil.which(asked.command)
    if not asked.program:
        reject(f"there is no program {asked.command}; build it, or give --command build/examples/weft")
    asked.pipeline = class_of(asked.model)
    return asked


def class_of(folder):
    """The class of the pipeline in a folder."""
    index = folder / "model_index.json"
    try:
        name = json.loads(index.read_text()).get("_class_name")
    except (OSError, ValueError) as error:
        reject(f"{index} cannot be read ({error}); give the folder of a pipeline as diffusers stores it")
    if name not in TRANSFORMERS:
        reject(f"{index} names {name}, and weft runs {', '.join(TRANSFORMERS)}")
    return name


def imported():
    """torch, diffusers and safetensors.torch."""
    try:
        return [importlib.import_module(name) for name in ("torch", "diffusers", "safetensors.torch")]
    except ImportError as error:
        reject(f"{error}; install torch, diffusers, transformers and safetensors for {sys.executable}")


def relative_l2(found, right):
    if found.shape != right.shape:
        return float("inf")
    return ((found.double() - right.double()).norm() / right.double().norm()).item()


class Peer:
    """diffusers' pipeline and a request to it."""

    def __init__(self, asked, torch, diffusers):
        self.asked, self.torch, self.diffusers = asked, torch, diffusers
        self.noise = None
        self.step_noise = []

    def run(self, dtype):
        """(latents, images), both float32, on the CPU."""
        torch, asked = self.torch, self.asked
        pipeline = self.diffusers.DiffusionPipeline.from_pretrained(asked.model, torch_dtype=getattr(torch, dtype))
        pipeline.to("cuda" if asked.backend == "cuda" else "cpu")
        pipeline.set_progress_bar_config(desc=f"diffusers {dtype}")
        self.settle(pipeline)
        state = {}
        step, is_flux = pipeline.scheduler.step, asked.pipeline == "FluxPipeline"

        def kept_step(*arguments, **named):
            result = step(*arguments, **named)
            state["latents"] = result[0]
            return result

        pipeline.image_processor.postprocess = lambda image, **_: image  # neither clamped nor rounded
        noise = self.noise.to(pipeline.device, getattr(torch, dtype))
        call = self.call | dict(latents=pipeline._pack_latents(noise, *noise.shape) if is_flux else noise)
        # A scheduler's `step` is looked at for its parameters.
        kept_step.__signature__ = inspect.signature(step)
        with mock.patch.object(pipeline.scheduler, "step", kept_step), self.drawn_noise(pipeline.scheduler):
            images = pipeline(**call)[0]
        latents = state["latents"]
        if is_flux:
            latents = pipeline._unpack_latents(latents, self.height, self.width, pipeline.vae_scale_factor)
        return latents.float().cpu(), images.float().cpu()

    def settle(self, pipeline):
        """Sets what is asked of pipelines of any dtype."""
        if self.noise is not None:
            return
        asked, config = self.asked, pipeline.transformer.config
        known = inspect.signature(pipeline.__call__).parameters
        is_flux, is_distilled = asked.pipeline == "FluxPipeline", not getattr(config, "guidance_embeds", True)
        side = getattr(pipeline, "default_sample_size", None) or config.sample_size
        self.height, self.width = (given or side * pipeline.vae_scale_factor for given in (asked.height, asked.width))
        self.steps = asked.steps or (4 if is_distilled else known["num_inference_steps"].default)
        self.guidance = asked.guidance
        if self.guidance is None:
            self.guidance = 0.0 if is_distilled else known["guidance_scale"].default
        self.call = dict(prompt=asked.prompts, height=self.height, width=self.width, num_inference_steps=self.steps,
                         guidance_scale=self.guidance, output_type="pt", return_dict=False)
        self.negatives = [] if is_flux or self.guidance <= 1 else [asked.negative] * len(asked.prompts)
        if self.negatives:
            self.call["negative_prompt"] = self.negatives
        for switch in ("use_resolution_binning", "clean_caption"):
            if switch in known:
                self.call[switch] = False
        channels = config.in_channels // 4 if is_flux else config.in_channels
        rows, columns = self.height // pipeline.vae_scale_factor, self.width // pipeline.vae_scale_factor
        self.generator = self.torch.Generator().manual_seed(asked.seed)
        self.noise = self.torch.randn(len(asked.prompts), channels, rows, columns, generator=self.generator)
        self.noise = self.noise.bfloat16().float()  # which all dtypes can hold

    @contextlib.contextmanager
    def drawn_noise(self, scheduler):
        """Lets a scheduler that adds noise draw the same in every run, in `step_noise`."""
        module, drawn = sys.modules[type(scheduler).__module__], iter(range(self.steps))

        def draw(shape, *_, device=None, dtype=None, **__):
            i = next(drawn)
            if i == len(self.step_noise):
                self.step_noise.append(self.torch.randn(shape, generator=self.generator).bfloat16().float())
            return self.step_noise[i].to(device, dtype)

        if not hasattr(module, "randn_tensor"):
            yield
            return
        with mock.patch.object(module, "randn_tensor", draw):
            yield

    def inputs(self):
        """(tensors, metadata) of the same request to weft."""
        tensors = dict(latents=self.noise)
        if self.step_noise:
            missing = [self.torch.zeros_like(self.noise)] * (self.steps - len(self.step_noise))  # the last steps add none
            tensors["step_noise"] = self.torch.stack(self.step_noise + missing)
        metadata = dict(prompts=json.dumps(self.asked.prompts), height=str(self.height), width=str(self.width),
                        steps=str(self.steps), guidance_scale=str(self.guidance))
        if self.negatives:
            metadata["negative_prompts"] = json.dumps(self.negatives)
        return tensors, metadata


def run_weft(asked, dtype, inputs, folder, load_file):
    """(latents, images), or what weft printed where it failed."""
    latents, images = folder / "latents.safetensors", folder / "images.safetensors"
    for file in (latents, images):
        file.unlink(missing_ok=True)
    line = [asked.program, "generate", "--model", asked.model, "--inputs", inputs, "--latents-out", latents, "--image-out",
            images, "--backend", asked.backend, *(["--dtype", dtype] if asked.backend == "cuda" else []), *asked.weft]
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True)
    if done.returncode != 0:
        return f"weft ended with exit code {done.returncode}: {done.stderr.strip()}"
    return load_file(latents)["latents"], load_file(images)["image"]


def main():
    asked = parsed()
    torch, diffusers, safetensors = imported()
    diffusers.utils.logging.set_verbosity_error()
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32; for products that is the default
    if asked.backend == "cuda" and not torch.cuda.is_available():
        reject("torch sees no CUDA GPU; give --backend host")
    print(f"torch {torch.__version__}, diffusers {diffusers.__version__}, {asked.pipeline} in {asked.model}", flush=True)

    peer, passes, rows, peers, own = Peer(asked, torch, diffusers), True, [], {}, {}

    def peer_in(dtype):
        if dtype not in peers:
            peers[dtype] = peer.run(dtype)
            gc.collect()
            torch.cuda.empty_cache()
        return peers[dtype]

    def row(name, found, right, bound=None):
        """Adds two distances; returns whether they are within the bound."""
        distances = [relative_l2(*pair) for pair in zip(found, right)]
        fits = bound is None or max(distances) <= bound
        verdict = "" if bound is None else "passes" if fits else "FAILS"
        rows.append(f"| {name} | {distances[0]:.2e} | {distances[1]:.2e} | {verdict} |")
        return fits

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for dtype in asked.dtypes:
            right = peer_in(PEER_DTYPES[dtype])
            tensors, metadata = peer.inputs()
            safetensors.save_file(tensors, folder / "inputs.safetensors", metadata)
            found = run_weft(asked, dtype, folder / "inputs.safetensors", folder, safetensors.load_file)
            if isinstance(found, str):
                print(f"{dtype}: {found}", file=sys.stderr)
                passes = False
                continue
            own[dtype] = found
            peer_name = "bf16" if dtype == "fp8" else dtype
            passes &= row(f"weft {dtype} to diffusers {peer_name}", found, right, BOUNDS[dtype])
        if "fp8" in own and "bf16" in own:
            row("weft fp8 to weft bf16", own["fp8"], own["bf16"])
        if asked.reference:
            reference = peer_in("float32")
            for dtype in own:
                if dtype != "fp32":
                    row(f"weft {dtype} to diffusers fp32", own[dtype], reference)
            for dtype in peers:
                if dtype != "float32":
                    row(f"diffusers {dtype} to diffusers fp32", peers[dtype], reference)

    print("\n".join(["", "| relative L2 | latents | image | |", "|---|---|---|---|", *rows, ""]))
    print("everything passes" if passes else "NOT everything passes")
    return 0 if passes else 1


if __name__ == "__main__":
    sys.exit(main())
