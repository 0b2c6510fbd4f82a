#!/usr/bin/env python3
"""The peer to be faster than: Local-Global SIREN, SIREN-per-partition and SIREN in plain PyTorch.

An independent implementation of the published networks, written the way a PyTorch user would
(batched matmul, autograd, torch.optim.Adam); it shares no code with Tessera. `cargo xtask bench` runs it. Needs torch and numpy; pillow to read pictures, safetensors for `check`.

    pip install torch numpy pillow safetensors
    python torch_peer.py check ../fixtures                     # proves that it computes the published model
    python torch_peer.py image ../../data/mosaic.png --steps 100 [--model lg|lc|mlp] [--device cpu|cuda] [--threads 2]
    python torch_peer.py image photo.png --model mlp --local 32 --frequencies 16 --scale 1.4   # the compression network
    python torch_peer.py samples 262144 --dims 3 --channels 3 --partitions 5 8 8 --local 55 --global-width 180

`image` prints one JSON object: seconds per training step (median), seconds per decode (median), loss per step, PSNR.
Compare in the same minute on the same machine, and quote the ratio: these machines are noisy.
`--keep-memory` lets the allocator keep freed tensors (glibc otherwise maps and faults every tensor above 32 MB anew in each
step, about half of the CPU time). Without it: what a user gets. With it: the best PyTorch can do here. Quote both.
"""
import argparse, json, math, os, statistics, sys, time
import numpy as np
import torch

OMEGA = 30.0


def uniform(shape, bound):
    return torch.nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


class Dense(torch.nn.Module):
    """x W + b, one per partition where `groups` is given. W: [in, out] or [groups, in, out]."""

    def __init__(self, fan_in, fan_out, bound, groups=None):
        super().__init__()
        lead = () if groups is None else (groups,)
        self.w = uniform(lead + (fan_in, fan_out), bound)
        self.b = uniform(lead + (1, fan_out) if groups else (fan_out,), 1 / math.sqrt(fan_in))

    def forward(self, x):
        return torch.baddbmm(self.b, x, self.w) if self.w.dim() == 3 else x @ self.w + self.b


def hidden_bound(fan_in):
    return math.sqrt(6 / fan_in) / OMEGA


class Field(torch.nn.Module):
    """model 'lg', 'lc' or 'mlp'. Input [G, P, d] ('mlp': [N, d]), output [G, P, o] or [N, o]."""

    def __init__(self, model, d, o, groups, width, global_width, hidden=3):
        super().__init__()
        g = None if model == "mlp" else groups
        self.local = torch.nn.ModuleList([Dense(d, width, 1 / d, g)]
                                         + [Dense(width, width, hidden_bound(width), g) for _ in range(hidden)])
        self.last = Dense(width, o, hidden_bound(width), g)
        self.shared = None
        if model == "lg":
            self.shared = torch.nn.ModuleList([Dense(d, global_width, 1 / d)]
                                              + [Dense(global_width, global_width, hidden_bound(global_width)) for _ in range(hidden)])
            self.merge = Dense(width + global_width, width, hidden_bound(width + global_width))

    def forward(self, x):
        h, s = x, x
        for i, layer in enumerate(self.local):
            h = torch.sin(OMEGA * layer(h))
            if self.shared is not None:
                s = torch.sin(OMEGA * self.shared[i](s))
                h = torch.sin(OMEGA * self.merge(torch.cat([h, s], dim=-1)))
        return self.last(h)


def coordinates(shape):
    axes = [torch.arange(n, dtype=torch.float32) * (2 / max(n - 1, 1)) - 1 for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def split(x, factors):
    """[n0, n1, .., c] -> [G, P, c], row-major partitions, row-major samples; sizes must divide."""
    dims, c = x.shape[:-1], x.shape[-1]
    shape = [v for n, f in zip(dims, factors) for v in (f, n // f)]
    k = len(factors)
    return x.reshape(*shape, c).permute(*range(0, 2 * k, 2), *range(1, 2 * k, 2), 2 * k).reshape(math.prod(factors), -1, c)


def nerf(x, scale, frequencies):
    """Coordinates and their sines and cosines, once for all steps; the published code computes them in each."""
    angles = math.pi * scale ** torch.arange(frequencies, dtype=torch.float64)[:, None] * x.double()[..., None, :]
    waves = torch.stack([torch.sin(angles), torch.cos(angles)], -1)
    return torch.cat([x, waves.flatten(-3).float()], -1)


def clock(device):
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def run(field, x, y, steps, lr, device):
    optimiser = torch.optim.Adam(field.parameters(), lr=lr)
    losses, times = [], []
    for _ in range(steps):
        start = clock(device)
        optimiser.zero_grad(set_to_none=True)
        loss = torch.mean((field(x) - y) ** 2)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        times.append(clock(device) - start)
    decodes = []
    with torch.no_grad():
        for _ in range(5):
            start = clock(device)
            out = field(x)
            decodes.append(clock(device) - start)
    mse = torch.mean(((out / 2 + 0.5).clamp(0, 1) - (y / 2 + 0.5)) ** 2).item()
    return dict(step_seconds=statistics.median(times[min(3, len(times) - 1):]), decode_seconds=statistics.median(decodes[1:]),
                psnr_db=-10 * math.log10(mse), parameters=sum(p.numel() for p in field.parameters()), losses=losses)


def check(folder):
    from safetensors.torch import load_file
    index = json.load(open(f"{folder}/index.json"))["cases"]
    worst = 0.0
    for name, case in index.items():
        t = load_file(f"{folder}/{name}.safetensors")
        mode = case["mode"]
        d, o = t["coords"].shape[-1], t["target"].shape[-1]
        groups = None if mode == "mlp" else t["coords"].shape[0]
        field = Field(mode, d, o, groups, case["local"], case["global_width"], case["hidden_layers"])
        pick = lambda key: t["init." + key]
        with torch.no_grad():
            grouped = mode != "mlp"
            for i, layer in enumerate([*field.local, field.last]):
                w, b = pick(f"net.net.{i}.0.weight"), pick(f"net.net.{i}.0.bias")
                layer.w.copy_(w if grouped else w.T)
                layer.b.copy_(b.reshape(layer.b.shape))
            if field.shared is not None:
                for i, layer in enumerate(field.shared):
                    layer.w.copy_(pick(f"net.global_net.{i}.0.weight").T)
                    layer.b.copy_(pick(f"net.global_net.{i}.0.bias"))
                field.merge.w.copy_(pick("net.agg_func.0.weight").T)
                field.merge.b.copy_(pick("net.agg_func.0.bias"))
        out = field(t["coords"])
        error = ((out - t["output0"]).norm() / t["output0"].norm()).item()
        trace = run(field, t["coords"], t["target"], 50, case["lr"], "cpu")["losses"]
        drift = max(abs(a - b) / b for a, b in zip(trace, t["losses"].tolist()))
        worst = max(worst, error)
        print(f"{name}: output0 relative error {error:.1e}, worst loss drift over 50 steps {drift:.1e}")
    sys.exit(0 if worst < 1e-5 else 1)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("task", choices=["check", "image", "samples"])
    p.add_argument("what")
    p.add_argument("--model", default="lg", choices=["lg", "lc", "mlp"])
    p.add_argument("--partitions", type=int, nargs="+", default=[16, 16])
    p.add_argument("--local", type=int, help="local width (14 for lg, 15 for lc, 256 for mlp)")
    p.add_argument("--global-width", type=int, default=84)
    p.add_argument("--hidden", type=int, default=3)
    p.add_argument("--frequencies", type=int, default=0, help="of an encoding of the coordinates")
    p.add_argument("--scale", type=float, default=1.4)
    p.add_argument("--dims", type=int, default=2)
    p.add_argument("--channels", type=int, default=3)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--lr", type=float, default=5e-4)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int)
    p.add_argument("--device", default="cpu")
    p.add_argument("--keep-memory", action="store_true")
    a = p.parse_args()
    keep = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2 ** 40), "MALLOC_TOP_PAD_": str(2 ** 28)}
    if a.keep_memory and os.environ.get("MALLOC_MMAP_MAX_") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **keep})
    if a.task == "check":
        return check(a.what)
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    width = a.local or {"lg": 14, "lc": 15, "mlp": 256}[a.model]
    groups = math.prod(a.partitions)
    if a.task == "image":
        from PIL import Image
        pixels = torch.from_numpy(np.asarray(Image.open(a.what).convert("RGB")).astype(np.float32) / 255)
        x, y = coordinates(pixels.shape[:2]), pixels * 2 - 1
        x, y = (x.reshape(-1, 2), y.reshape(-1, 3)) if a.model == "mlp" else (split(x, a.partitions), split(y, a.partitions))
    else:
        n = int(a.what) // groups * groups
        x, y = torch.rand(n, a.dims) * 2 - 1, torch.rand(n, a.channels) * 2 - 1
        if a.model != "mlp":
            x, y = x.reshape(groups, -1, a.dims), y.reshape(groups, -1, a.channels)
    if a.frequencies:
        x = nerf(x, a.scale, a.frequencies)
    field = Field(a.model, x.shape[-1], y.shape[-1], groups, width, a.global_width, a.hidden).to(a.device)
    result = run(field, x.to(a.device), y.to(a.device), a.steps, a.lr, a.device)
    print(json.dumps(dict(result, torch=torch.__version__, threads=torch.get_num_threads(), device=a.device)))


if __name__ == "__main__":
    main()
