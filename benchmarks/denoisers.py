"""How many clips per second does one training step take in, beside two public denoisers? One run, interleaved.

Ours against diffusers' Latte and Wan transformers with random weights, of equal parameters (within 5 %) and tokens:
16 frames of 64 x 64 pixels in patches of 16 x 16, one token a frame and patch. All three learn by one rule (AdamW)
from the same clips: noise, forward, squared error, backward, step. Each round times all three one after another, so
that a busy machine slows them alike; printed are medians, and the quartiles of the rounds' ratios.
    pip install 'cavendish[diffusers]';  python benchmarks/denoisers.py [size, micro or micro-hourglass] [batch]
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers import LatteTransformer3DModel, WanTransformer3DModel
from torch import nn

from cavendish.data import Picture, Split
from cavendish.models import DiffusionConfig
from cavendish.models.diffusion.network import SIZES
from cavendish.scenes import UniformMotion
from cavendish.training import seeded
from cavendish.training.machine import keep_freed_memory
from cavendish.video import Clip

FRAMES, SIDE, PATCH, ROUNDS = 16, 64, 16, 8
HEAD = 64  # channels of a head, as in our micro


def latte(width: int, depth: int) -> nn.Module:
    """Make a Latte; a layer of it is two blocks, one over space and one over time."""
    return LatteTransformer3DModel(
        num_attention_heads=width // HEAD,
        attention_head_dim=HEAD,
        in_channels=3,
        out_channels=3,
        num_layers=depth,
        attention_bias=True,
        sample_size=SIDE,
        patch_size=PATCH,
        activation_fn="gelu-approximate",
        norm_type="ada_norm_single",
        norm_elementwise_affine=False,
        caption_channels=width,
        video_length=FRAMES,
    )


def wan(width: int, depth: int) -> nn.Module:
    """Make a Wan."""
    return WanTransformer3DModel(
        patch_size=(1, PATCH, PATCH),
        num_attention_heads=width // HEAD,
        attention_head_dim=HEAD,
        in_channels=3,
        out_channels=3,
        text_dim=width,
        freq_dim=width,
        ffn_dim=8 * width // 3,
        num_layers=depth,
    )


def fitted(make: Callable[[int, int], nn.Module], width: int, parameters: int) -> nn.Module:
    """Return the model whose width and depth come nearest to a number of parameters, near a width."""
    best: tuple[float, int, int] = (np.inf, 0, 0)
    for wide in range(width - HEAD, width + HEAD + 1, HEAD):
        for depth in range(1, 17):
            with torch.device("meta"):
                count = sum(p.numel() for p in make(wide, depth).parameters())
            best = min(best, (abs(count / parameters - 1), wide, depth))
    return make(*best[1:])


def step_of(model: nn.Module, text: int) -> Callable[[Clip], None]:
    """Return one training step of a public denoiser; its caption is a single empty token."""
    optimiser = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)

    def step(clip: Clip) -> None:
        clean = clip.frames.permute(0, 4, 1, 2, 3).float() / 127.5 - 1
        level = torch.rand(len(clean))
        share = level[:, None, None, None, None]
        z = torch.lerp(torch.randn_like(clean), clean, share)
        said: Any = model(z, timestep=level * 1000, encoder_hidden_states=torch.zeros(len(z), 1, text))
        (said.sample - clean).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def main() -> None:
    """Fit sizes, then time in turn."""
    keep_freed_memory()
    size, batch = (sys.argv[1] if len(sys.argv) > 1 else "micro"), int(sys.argv[2]) if len(sys.argv) > 2 else 8
    ours = DiffusionConfig(size=size, patch=PATCH, registers=0).build(seeded(0))
    parameters, width = sum(p.numel() for p in ours.parameters()), SIZES[size].width
    others = {"latte": fitted(latte, width, parameters), "wan": fitted(wan, width, parameters)}
    optimiser = torch.optim.AdamW(ours.parameters(), 1e-4, fused=True)

    def our_step(clip: Clip) -> None:
        loss, _ = ours.loss(clip, seeded(0))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    steps = {"ours": our_step}
    for name, model in others.items():
        steps[name] = step_of(model, model.config.caption_channels if name == "latte" else model.config.text_dim)
    split, taken = Split(UniformMotion(), picture=Picture(SIDE, SIDE)), {name: [] for name in steps}
    for number in range(ROUNDS + 2):
        whole = split.clips(np.arange(batch) + number * batch)
        clip = Clip(whole.frames[:, :FRAMES], whole.time[:FRAMES], whole.world)
        for name, step in steps.items():
            begun = time.perf_counter()
            step(clip)
            taken[name].append(time.perf_counter() - begun)
    seconds = {name: np.array(all_[2:]) for name, all_ in taken.items()}
    for name, model in {"ours": ours, **others}.items():
        ratio = np.quantile(seconds[name] / seconds["ours"], (0.25, 0.5, 0.75))
        result = {"model": name, "parameters": sum(p.numel() for p in model.parameters()), "batch": batch}
        result |= {"tokens_per_clip": FRAMES * (SIDE // PATCH) ** 2, "threads": torch.get_num_threads()}
        result |= {"clips_per_second": batch / float(np.median(seconds[name])), "ours_is_faster_by": ratio.tolist()}
        print(json.dumps(result))


if __name__ == "__main__":
    main()
