#!/usr/bin/env python3
"""Compares weft on the host with diffusers and transformers on small random models of random settings.

usage: compare_random_with_diffusers.py [--command build/examples/weft] [--seeds 0:12] [--parts models loops decoders encoders]
                                        [--tokenizers DIR] [-- ARGUMENT...]
needs: torch, diffusers, transformers and safetensors; no GPU. `encoders` needs a folder with BERT's tokenizer/ and T5's
tokenizer_2/, such as tests/goldens/hunyuan_pipeline/model.

A seed is one model of each kind, a loop of each of two schedulers, a decoder and two encoders, in fp32, fp16 or bf16, in one file
or several. ARGUMENTs go to weft, as in `-- --ranks 4 --ulysses 2 --ring 2`.

To pass, the relative L2 distance must be below 1e-5, and 1e-4 at the end of a loop.
Exit code: 0 if everything passes, 1 if not.
"""
import argparse
import math
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

try:
    import diffusers
    import torch
    import transformers
    from diffusers.models.embeddings import get_2d_rotary_pos_embed
    from diffusers.pipelines.hunyuandit.pipeline_hunyuandit import get_resize_crop_region_for_grid, rescale_noise_cfg
    from safetensors.torch import load_file, save_file
    from transformers import BertConfig, BertModel, T5Config, T5EncoderModel
except ImportError as error:
    print(f"compare_random_with_diffusers.py: {error}; install torch, diffusers, transformers and safetensors for "
          f"{sys.executable}", file=sys.stderr)
    sys.exit(2)

ROPE_BASE = 32       # tokens on a side of the grid that HunyuanDiT's positions are fitted into
MOST_ERROR = 1e-5
MOST_LOOP_ERROR = 1e-4


def some(*choices):
    return random.choice(choices)


def randomize(model):
    """Gives every parameter random numbers that neither vanish nor explode, as the type they are stored in has them."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            parameter.copy_(torch.randn_like(parameter) * 0.8 / math.sqrt(parameter[0].numel()))
        else:
            parameter.copy_(("norm" in name.lower() and "weight" in name) + 0.15 * torch.randn_like(parameter))
    model.stored = some(torch.float32, torch.float16, torch.bfloat16)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.to(model.stored))
    return model.eval()


def save(model, folder):
    """Saves a model that has computed all it is to: what is not stored is rounded too."""
    model.to(model.stored).save_pretrained(folder, max_shard_size=some("40KB", "1GB"))


def write(folder, tensors, **metadata):
    path = folder / "inputs.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path,
              {key: str(value) for key, value in metadata.items()})
    return path


def mask(batch, tokens):
    return (torch.arange(tokens)[None] < torch.randint(1, tokens + 1, (batch, 1))).float()


def size():
    return some((16, 16), (16, 24), (12, 20), (8, 32), (18, 14))


class HunyuanDiT:
    def __init__(self):
        heads, dimension = some((2, 16), (3, 24), (4, 32), (2, 88), (5, 8))
        self.model = randomize(diffusers.HunyuanDiT2DModel(
            num_attention_heads=heads, attention_head_dim=dimension, hidden_size=heads * dimension, in_channels=some(4, 8),
            patch_size=2, activation_fn="gelu-approximate", sample_size=128, num_layers=some(2, 4, 6, 8),
            mlp_ratio=some(4.0, 2.0, 4.3637), learn_sigma=some(True, False), cross_attention_dim=some(32, 48),
            cross_attention_dim_t5=some(40, 48), pooled_projection_dim=some(24, 32), text_len=some(7, 12),
            text_len_t5=some(9, 16), use_style_cond_and_image_meta_size=some(True, False)))

    def inputs(self, batch):
        c = self.model.config
        out = dict(encoder_hidden_states=torch.randn(batch, c.text_len, c.cross_attention_dim),
                   encoder_hidden_states_t5=torch.randn(batch, c.text_len_t5, c.cross_attention_dim_t5),
                   text_embedding_mask=mask(batch, c.text_len), text_embedding_mask_t5=mask(batch, c.text_len_t5))
        if c.use_style_cond_and_image_meta_size:
            out |= dict(image_meta_size=torch.tensor([[1024.0, 1024, 1024, 768, 0, 8]] * batch),
                        style=torch.zeros(batch, dtype=torch.long))
        return out

    def __call__(self, x, time, inputs):
        grid = (x.shape[2] // 2, x.shape[3] // 2)
        rotary = get_2d_rotary_pos_embed(self.model.config.attention_head_dim,
                                         get_resize_crop_region_for_grid(grid, ROPE_BASE), grid, output_type="pt")
        return self.model(x, torch.full((len(x),), float(time)), image_rotary_emb=rotary, return_dict=False, **inputs)[0]

    def time(self):
        return float(random.randint(1, 999))


class PixArt:
    def __init__(self):
        heads, dimension = some((2, 24), (3, 24), (4, 18), (2, 72), (6, 10))
        channels = some(4, 8)
        self.model = randomize(diffusers.PixArtTransformer2DModel(
            num_attention_heads=heads, attention_head_dim=dimension, cross_attention_dim=heads * dimension,
            in_channels=channels, out_channels=channels * some(1, 2), num_layers=some(1, 2, 3, 5), norm_num_groups=1,
            sample_size=some(16, 32, 64, 128), patch_size=some(1, 2), caption_channels=some(40, 64),
            use_additional_conditions=some(True, False), interpolation_scale=some(None, 1, 2)))

    def inputs(self, batch):
        tokens = some(12, 20)
        out = dict(encoder_hidden_states=torch.randn(batch, tokens, self.model.config.caption_channels),
                   encoder_attention_mask=mask(batch, tokens))
        if self.model.config.use_additional_conditions:
            out |= dict(resolution=torch.tensor([[1024.0, 512]] * batch), aspect_ratio=torch.tensor([[0.5]] * batch))
        return out

    def __call__(self, x, time, inputs):
        sizes = {key: inputs.get(key) for key in ("resolution", "aspect_ratio")}
        return self.model(x, timestep=torch.full((len(x),), time), added_cond_kwargs=sizes, return_dict=False,
                          **{key: value for key, value in inputs.items() if key not in sizes})[0]

    def time(self):
        return random.randint(1, 999)


class SD3:
    def __init__(self):
        heads, dimension = some((2, 16), (3, 24), (4, 32), (2, 64), (6, 8))
        layers, channels = some(1, 2, 4, 5), some(8, 16)
        self.model = randomize(diffusers.SD3Transformer2DModel(
            sample_size=some(16, 32), patch_size=2, in_channels=channels, out_channels=channels, num_layers=layers,
            attention_head_dim=dimension, num_attention_heads=heads, caption_projection_dim=heads * dimension,
            joint_attention_dim=some(40, 64), pooled_projection_dim=some(36, 64), pos_embed_max_size=some(24, 32),
            dual_attention_layers=tuple(random.sample(range(layers), random.randint(0, layers))),
            qk_norm=some(None, "rms_norm")))

    def inputs(self, batch):
        c = self.model.config
        return dict(encoder_hidden_states=torch.randn(batch, some(5, 11, 30), c.joint_attention_dim),
                    pooled_projections=torch.randn(batch, c.pooled_projection_dim))

    def __call__(self, x, time, inputs):
        return self.model(x, timestep=torch.full((len(x),), float(time)), return_dict=False, **inputs)[0]

    def time(self):
        return random.random() * 1000


class Flux:
    def __init__(self):
        axes = some((4, 6, 6), (8, 12, 12), (2, 6, 8), (4, 14, 14))
        self.model = randomize(diffusers.FluxTransformer2DModel(
            patch_size=1, in_channels=some(32, 64), num_layers=some(1, 2, 3), num_single_layers=some(1, 2, 4),
            attention_head_dim=sum(axes), axes_dims_rope=axes, num_attention_heads=some(2, 3, 4),
            joint_attention_dim=some(40, 64), pooled_projection_dim=some(28, 64), guidance_embeds=some(True, False)))

    def inputs(self, batch):
        c = self.model.config
        return dict(encoder_hidden_states=torch.randn(batch, some(5, 9, 30), c.joint_attention_dim),
                    pooled_projections=torch.randn(batch, c.pooled_projection_dim),
                    **(dict(guidance=torch.full((batch,), 3.5)) if c.guidance_embeds else {}))


def check_model(weft, folder, case):
    batch, (height, width) = some(1, 2, 3), size()
    inputs = case.inputs(batch)
    if isinstance(case, Flux):
        x, time = torch.randn(batch, height // 2 * (width // 2), case.model.config.in_channels), random.random()
        places = torch.stack([torch.zeros(height // 2, width // 2),
                              *torch.meshgrid(torch.arange(height // 2.0), torch.arange(width // 2.0), indexing="ij")], -1)
        want = case.model(x, timestep=torch.full((batch,), time), img_ids=places.reshape(-1, 3),
                          txt_ids=torch.zeros(inputs["encoder_hidden_states"].shape[1], 3), return_dict=False, **inputs)[0]
        metadata = dict(latent_height=height, latent_width=width)
    else:
        x, time, metadata = torch.randn(batch, case.model.config.in_channels, height, width), case.time(), {}
        want = case(x, time, inputs)
    save(case.model, folder / "transformer")
    path = write(folder, inputs | dict(hidden_states=x, timestep=torch.full((batch,), float(time))), **metadata)
    return weft("forward", folder, "--inputs", path, tensor="sample", want=want)


def diffusion_scheduler():
    common = dict(num_train_timesteps=some(1000, 500), beta_start=some(0.00085, 0.0001), beta_end=some(0.018, 0.03, 0.012),
                  beta_schedule=some("scaled_linear", "linear", "squaredcos_cap_v2"),
                  prediction_type=some("v_prediction", "epsilon", "sample"),
                  timestep_spacing=some("leading", "trailing", "linspace"), steps_offset=some(0, 1))
    kind = some("ddim", "ddpm", "dpmpp", "dpmpp")
    if kind == "ddim":
        return diffusers.DDIMScheduler(**common, clip_sample=some(True, False), set_alpha_to_one=some(True, False),
                                       clip_sample_range=some(1.0, 2.0), rescale_betas_zero_snr=some(False, True))
    if kind == "ddpm":
        return diffusers.DDPMScheduler(**common, clip_sample=some(True, False), rescale_betas_zero_snr=some(False, True),
                                       variance_type=some("fixed_small", "fixed_large", "fixed_small_log"))
    return diffusers.DPMSolverMultistepScheduler(
        **common, solver_order=some(1, 2), algorithm_type=some("dpmsolver++", "sde-dpmsolver++"),
        solver_type=some("midpoint", "heun"), lower_order_final=some(True, False), euler_at_final=some(False, True),
        use_karras_sigmas=some(False, True), final_sigmas_type=some("zero", "sigma_min"))


def flow_scheduler():
    spacing = some({}, {}, dict(use_karras_sigmas=True), dict(use_exponential_sigmas=True))
    return diffusers.FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=some(1000, 500), shift=some(1.0, 3.0, 1.5), shift_terminal=some(None, 0.02, 0.1), **spacing)


def check_loop(weft, folder, case, scheduler):
    steps, scale, rescale = some(2, 3, 7, 10, 20), some(1.0, 5.0), some(0.0, 0.7)
    x = latents = torch.randn(1, case.model.config.in_channels, 8, 12)
    inputs = case.inputs(2 if scale > 1 else 1)
    scheduler.set_timesteps(steps)
    if len(set(scheduler.timesteps.tolist())) < len(scheduler.timesteps):
        return None  # diffusers finds its place by the time, and fails
    noise = torch.randn(len(scheduler.timesteps), *x.shape)
    for i, time in enumerate(scheduler.timesteps):
        # Schedulers that draw noise call this with a shape first.
        for module in (diffusers.schedulers.scheduling_ddpm, diffusers.schedulers.scheduling_dpmsolver_multistep):
            module.randn_tensor = lambda *_, **__: noise[i]
        out = case(torch.cat([x] * len(inputs["encoder_hidden_states"])), time, inputs)[:, :x.shape[1]]
        if scale > 1:
            negative, positive = out.chunk(2)
            out = negative + scale * (positive - negative)
            if rescale:
                out = rescale_noise_cfg(out, positive, guidance_rescale=rescale)
        x = scheduler.step(out, time, x, return_dict=False)[0]
    if not x.isfinite().all() or x.abs().max() > 1e4:
        return None  # what rounding makes of such loops says nothing
    save(case.model, folder / "transformer")
    scheduler.save_pretrained(folder / "scheduler")
    draws = not isinstance(scheduler, (diffusers.DDIMScheduler, diffusers.FlowMatchEulerDiscreteScheduler))
    path = write(folder, inputs | dict(latents=latents) | (dict(step_noise=noise) if draws else {}), steps=steps,
                 guidance_scale=scale, guidance_rescale=rescale if scale > 1 else 0.0)
    return weft("denoise", folder, "--inputs", path, tensor="latents", want=x, most=MOST_LOOP_ERROR)


def check_decoder(weft, folder):
    channels = some((8, 16, 16), (16, 16), (8, 16, 32, 32), (16,), (32, 64))
    scaling, shift = some(0.13025, 0.18215, 1.5305), some(None, 0.0609, 0.1159)
    model = randomize(diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels), up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels, layers_per_block=some(1, 2, 3), latent_channels=some(4, 8, 16), norm_num_groups=some(2, 4, 8),
        scaling_factor=scaling, shift_factor=shift, use_quant_conv=some(True, False), use_post_quant_conv=some(True, False),
        mid_block_add_attention=some(True, False)))
    latents = torch.randn(some(1, 2), model.config.latent_channels, *some((6, 4), (8, 8), (9, 7), (5, 12)))
    want = model.decode(latents + (shift or 0), return_dict=False)[0]
    save(model, folder / "vae")
    (folder / "model_index.json").write_text('{"_class_name": "HunyuanDiTPipeline", "vae": ["diffusers", "AutoencoderKL"]}')
    path = write(folder, dict(latents=latents * scaling))
    return weft("decode", folder, "--latents", path, tensor="image", want=want)


def check_encoders(weft, folder, tokenizers):
    shutil.copytree(tokenizers / "tokenizer", folder / "tokenizer")
    shutil.copytree(tokenizers / "tokenizer_2", folder / "tokenizer_2")
    shutil.copy(tokenizers / "model_index.json", folder)
    words = sum(1 for _ in open(folder / "tokenizer" / "vocab.txt", encoding="utf-8"))
    heads, dimension = some((2, 16), (3, 8), (4, 8))
    bert = randomize(BertModel(BertConfig(
        vocab_size=words, hidden_size=heads * dimension, num_attention_heads=heads, num_hidden_layers=some(1, 2, 4),
        intermediate_size=some(40, 64), hidden_act=some("gelu", "gelu_new"), layer_norm_eps=some(1e-12, 1e-5))))
    t5 = randomize(T5EncoderModel(T5Config(
        vocab_size=10000, d_model=some(32, 48), d_kv=some(8, 10, 16), d_ff=some(64, 96), num_layers=some(1, 3),
        num_heads=some(2, 3, 4), relative_attention_num_buckets=some(16, 32), relative_attention_max_distance=some(64, 128),
        feed_forward_proj=some("gated-gelu", "gated-silu"), layer_norm_epsilon=some(1e-6, 1e-5))))
    prompts = ["--prompt", some("a red circle", "一只猫坐在 window"), "--prompt", some("", "Ünïcode façade " * 40)]
    ids = weft("tokenize", folder, *prompts)
    wants = {of: model(ids[of.replace("text_encoder", "tokenizer") + ".ids"].long(),
                       attention_mask=ids[of.replace("text_encoder", "tokenizer") + ".mask"].long())[0]
             for of, model in (("text_encoder", bert), ("text_encoder_2", t5))}
    save(bert, folder / "text_encoder")
    save(t5, folder / "text_encoder_2")
    return max(weft("encode", folder, *prompts, tensor=f"{of}.last_hidden_state", want=want) for of, want in wants.items())


class Weft:
    """Runs the program and compares what it writes."""

    def __init__(self, command, arguments):
        self.command, self.arguments, self.failures = command, arguments, 0

    def __call__(self, verb, folder, *arguments, tensor=None, want=None, most=MOST_ERROR):
        out = folder / "out.safetensors"
        parallel = self.arguments if verb in ("forward", "denoise") else []
        run = subprocess.run([self.command, verb, "--model", folder, *arguments, "--out", out, *parallel],
                             capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(run.stderr.strip())
        tensors = load_file(out)
        if tensor is None:
            return tensors
        error = ((tensors[tensor].double() - want.double()).norm() / want.double().norm()).item()
        if not error <= most:
            raise RuntimeError(f"{tensor} is {error:.1e} from diffusers' and may be {most}")
        return error


def main():
    parts = ("models", "loops", "decoders", "encoders")
    parser = argparse.ArgumentParser()
    parser.add_argument("--command", default="build/examples/weft")
    parser.add_argument("--seeds", default="0:12", metavar="FIRST:END")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--tokenizers", type=pathlib.Path,
                        default=pathlib.Path(__file__).parent.parent / "tests/goldens/hunyuan_pipeline/model")
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    if not shutil.which(options.command):
        print(f"compare_random_with_diffusers.py: there is no program {options.command}; build it, or name another with "
              "--command", file=sys.stderr)
        return 2
    checks = []  # of a part: what it is, and a function of weft and a folder
    models = {"HunyuanDiT": HunyuanDiT, "PixArt": PixArt, "SD3": SD3, "FLUX": Flux}
    for name, kind in models.items():
        checks.append(("models", name, lambda weft, folder, kind=kind: check_model(weft, folder, kind())))
    checks += [
        ("loops", "diffusion", lambda weft, folder: check_loop(weft, folder, HunyuanDiT(), diffusion_scheduler())),
        ("loops", "flow matching", lambda weft, folder: check_loop(weft, folder, SD3(), flow_scheduler())),
        ("decoders", "AutoencoderKL", check_decoder),
        ("encoders", "BERT and T5", lambda weft, folder: check_encoders(weft, folder, options.tokenizers)),
    ]
    torch.set_grad_enabled(False)
    for library in (diffusers.logging, transformers.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    weft = Weft(options.command, options.arguments)
    first, end = map(int, options.seeds.split(":"))
    failed = False
    for part, name, check in checks:
        if part not in options.parts:
            continue
        errors = []
        for seed in range(first, end):
            random.seed(seed)
            torch.manual_seed(seed)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    errors.append(check(weft, pathlib.Path(folder)))
                except RuntimeError as error:
                    failed = True
                    print(f"{name}, seed {seed}: {error}")
        errors = [error for error in errors if error is not None]
        if errors:
            print(f"{name}: {len(errors)} compared, the worst {max(errors):.1e}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
