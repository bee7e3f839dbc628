"""Writes cases.json and traces.safetensors: what diffusers' schedulers do with settings, on a tiny latent.

A case is the text of a scheduler_config.json, the class that reads it, and a number of steps. The model's
output for element j of the state x at timestep t is 0.6 x + 0.5 sin(0.01 t + 0.7 j), computed in double.
Needs numpy 2 (or NPY_PROMOTION_STATE=weak), torch, safetensors and diffusers 0.36 or later.
"""

import json
import pathlib
import random

import diffusers
import numpy as np
import torch
from diffusers.schedulers import scheduling_ddpm, scheduling_dpmsolver_multistep
from safetensors.numpy import save_file

MOST_STEPS = 50
rng = np.random.default_rng(20261126)
latents = rng.standard_normal((2, 2, 2, 3)).astype(np.float32)
noise = rng.standard_normal((MOST_STEPS, *latents.shape)).astype(np.float32)
phase = 0.7 * np.arange(latents.size).reshape(latents.shape)

DDIM, DDPM, DPM = "DDIMScheduler", "DDPMScheduler", "DPMSolverMultistepScheduler"
HUNYUAN = dict(beta_start=0.00085, beta_end=0.018, beta_schedule="scaled_linear", clip_sample=False,
               prediction_type="v_prediction", steps_offset=1, timestep_spacing="leading")
MINUS_INFINITY = -float("inf")


def trained_betas(count):
    return [round(0.001 + 0.03 * i / count, 6) for i in range(count)]


NAMED = [  # (class, steps, settings)
    *[(c, n, {}) for c in (DDIM, DDPM, DPM) for n in (1, 2, 8, 50)],
    *[(c, n, HUNYUAN) for c in (DDIM, DDPM, DPM) for n in (1, 7, 20)],
    *[(c, 8, HUNYUAN | {"beta_schedule": b, "prediction_type": p})
      for c in (DDIM, DDPM, DPM) for b in ("linear", "scaled_linear", "squaredcos_cap_v2")
      for p in ("epsilon", "sample", "v_prediction")],
    *[(c, n, HUNYUAN | {"timestep_spacing": s, "rescale_betas_zero_snr": z})
      for c in (DDIM, DDPM, DPM) for s in ("leading", "linspace", "trailing") for z in (False, True)
      for n in (6, 16)],
    *[(DDPM, 6, HUNYUAN | {"beta_schedule": b, "clip_sample": True}) for b in ("sigmoid", "laplace")],
    *[(c, 8, HUNYUAN | {"thresholding": True, "dynamic_thresholding_ratio": q, "sample_max_value": m})
      for c in (DDIM, DDPM, DPM) for q, m in ((0.995, 1.0), (0.5, 2.5), (0.8, 100.0), (0.9, 0.5), (1.0, 3.0))],
    *[(c, 9, {"thresholding": True, "dynamic_thresholding_ratio": 0.7, "sample_max_value": float("inf")})
      for c in (DDIM, DDPM, DPM)],
    *[(c, 8, HUNYUAN | {"clip_sample": True, "clip_sample_range": r}) for c in (DDIM, DDPM) for r in (0.5, 1.0, 3.0)],
    *[(DDIM, 8, HUNYUAN | {"set_alpha_to_one": a, "steps_offset": o}) for a in (True, False) for o in (0, 1, 124)],
    *[(DDIM, 7, HUNYUAN | {"set_alpha_to_one": a, "steps_offset": 145}) for a in (True, False)],
    *[(c, 6, {"num_train_timesteps": 40, "trained_betas": trained_betas(40), "clip_sample": None})
      for c in (DDIM, DDPM, DPM)],
    *[(DDPM, 8, HUNYUAN | {"variance_type": v, "timestep_spacing": s})
      for v in ("fixed_small", "fixed_small_log", "fixed_large", None) for s in ("leading", "trailing", "linspace")],
    *[(DPM, n, HUNYUAN | {"solver_order": o, "solver_type": t, "final_sigmas_type": f, "lower_order_final": l})
      for n in (5, 16) for o in (1, 2) for t in ("midpoint", "heun") for f in ("zero", "sigma_min")
      for l in (True, False)],
    *[(DPM, n, HUNYUAN | {u: True, "final_sigmas_type": f})
      for n in (4, 20) for f in ("zero", "sigma_min")
      for u in ("use_karras_sigmas", "use_lu_lambdas", "use_exponential_sigmas", "use_flow_sigmas")],
    *[(DPM, 8, {u: True, "beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1,
                "prediction_type": "v_prediction"})
      for u in ("use_karras_sigmas", "use_lu_lambdas", "thresholding")],
    *[(DPM, 8, {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1, "timestep_spacing": s})
      for s in ("leading", "linspace", "trailing")],
    *[(DPM, n, HUNYUAN | {"algorithm_type": a, "final_sigmas_type": "sigma_min", "solver_type": t, "solver_order": o,
                          "prediction_type": p})
      for n in (5, 16) for a, t, o, p in (
          ("dpmsolver", "midpoint", 2, "epsilon"), ("dpmsolver", "heun", 2, "v_prediction"),
          ("dpmsolver", "midpoint", 1, "sample"), ("sde-dpmsolver", "midpoint", 2, "epsilon"),
          ("sde-dpmsolver", "heun", 2, "v_prediction"), ("sde-dpmsolver++", "heun", 2, "epsilon"))],
    *[(DPM, n, HUNYUAN | {"algorithm_type": "sde-dpmsolver++", "euler_at_final": e}) for n in (5, 16) for e in (True, False)],
    (DPM, 16, HUNYUAN | {"euler_at_final": True, "final_sigmas_type": "sigma_min"}),
    (DPM, 16, HUNYUAN | {"algorithm_type": "deis", "solver_type": "logrho", "final_sigmas_type": "sigma_min"}),
    (DPM, 8, {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}),
    (DPM, 8, {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "solver_type": "heun"}),
    (DPM, 8, HUNYUAN | {"use_karras_sigmas": True, "sigma_min": 0.05, "sigma_max": 20.0}),
    (DPM, 8, HUNYUAN | {"use_exponential_sigmas": True, "sigma_max": 20.0, "sigma_min": None}),
    (DPM, 8, HUNYUAN | {"use_karras_sigmas": True, "rescale_betas_zero_snr": True}),
    (DPM, 8, HUNYUAN | {"_class_name": "EulerDiscreteScheduler", "interpolation_type": "linear", "use_karras_sigmas": True}),
    (DDIM, 8, {"_class_name": DPM, "lambda_min_clipped": MINUS_INFINITY, "steps_offset": 2}),
    (DPM, 8, HUNYUAN | {"_class_name": DDPM, "skip_prk_steps": True, "variance_type": "fixed_small"}),
    (DDPM, 8, HUNYUAN | {"_use_default_values": ["steps_offset", "clip_sample"]}),
]

CHOICES = {
    "num_train_timesteps": (1000, 1000, 250, 100),
    "beta_start": (0.0001, 0.00085),
    "beta_end": (0.02, 0.012),
    "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
    "prediction_type": ("epsilon", "v_prediction", "sample"),
    "timestep_spacing": ("leading", "linspace", "trailing"),
    "steps_offset": (0, 1, 3),
    "rescale_betas_zero_snr": (False, True),
    "clip_sample": (False, True),
    "clip_sample_range": (1.0, 2.5),
    "thresholding": (False, False, True),
    "dynamic_thresholding_ratio": (0.995, 0.6),
    "sample_max_value": (1.0, 4.0),
    "set_alpha_to_one": (False, True),
    "variance_type": ("fixed_small", "fixed_small_log", "fixed_large"),
    "solver_order": (1, 2),
    "solver_type": ("midpoint", "heun"),
    "algorithm_type": ("dpmsolver++", "dpmsolver++", "sde-dpmsolver++"),
    "use_karras_sigmas": (False, True),
    "use_lu_lambdas": (False, False, True),
    "final_sigmas_type": ("zero", "sigma_min"),
    "lower_order_final": (False, True),
    "euler_at_final": (False, True),
    "lambda_min_clipped": (MINUS_INFINITY, -5.1, -3.0),
}


def drawn(count):
    draw = random.Random(20261126)
    for _ in range(count):
        settings = {key: draw.choice(values) for key, values in CHOICES.items() if draw.random() < 0.6}
        yield draw.choice((DDIM, DDPM, DPM)), draw.choice((1, 2, 3, 5, 8, 13, 16)), settings


def trace(class_name, steps, settings):
    config = json.loads(json.dumps({"_class_name": class_name} | settings))
    scheduler = getattr(diffusers, class_name).from_config(config)
    scheduler.set_timesteps(steps)
    if class_name == DPM:
        scheduler.set_begin_index(0)  # else it takes a timestep that is there twice for the second one
    x = torch.from_numpy(latents)
    states = []
    for i, t in enumerate(scheduler.timesteps):
        for module in (scheduling_ddpm, scheduling_dpmsolver_multistep):
            module.randn_tensor = lambda *args, **kwargs: torch.from_numpy(noise[i])
        output = (0.6 * x.double().numpy() + 0.5 * np.sin(0.01 * t.item() + phase)).astype(np.float32)
        x = scheduler.step(torch.from_numpy(output), t, x).prev_sample
        states.append(x.numpy())
    return scheduler.timesteps.numpy().astype(np.float32), np.stack(states).astype(np.float32)


def main():
    folder = pathlib.Path(__file__).parent
    cases, tensors = {}, {"latents": latents, "noise": noise}
    for number, (class_name, steps, settings) in enumerate([*NAMED, *drawn(100)]):
        try:
            timesteps, states = trace(class_name, steps, settings)
        except Exception as error:
            print(f"{class_name} fails on {settings}: {error}")
            continue
        if not np.isfinite(states).all():
            print(f"{class_name} gives no finite state on {settings}")
            continue
        if timesteps.min() < 0:
            print(f"{class_name} runs past the end on {settings}")
            continue
        name = f"{number:03}"
        cases[name] = {"class": class_name, "steps": steps,
                       "config": json.dumps({"_class_name": class_name} | settings)}
        tensors |= {f"{name}.timesteps": timesteps, f"{name}.trace": states}
    (folder / "cases.json").write_text(json.dumps(cases, indent=0) + "\n")
    save_file(tensors, folder / "traces.safetensors", {"diffusers": diffusers.__version__})
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()
