"""The losses as a PyTorch user would write them, timed on request.

Run by `go run ./bench/peers`, which says on standard input what to do and reads
lines of JSON. The losses follow MONAI's: labels become one-hot where the formula
needs that, and autograd does the rest.
"""

import argparse
import ctypes
import json
import os
import sys
import time

import torch
import torch.nn.functional as F


def one_hot(y, classes):
    """[N,1,...] labels to [N,C,...] floats, as monai.networks.one_hot."""
    shape = list(y.shape)
    shape[1] = classes
    o = torch.zeros(size=shape, dtype=torch.float32)
    return o.scatter_(dim=1, index=y.long(), value=1)


def axes(x):
    return list(range(2, x.dim()))


def dice_of(p, t, smooth=1e-5):
    """Soft Dice coefficient of each sample and class."""
    inter = torch.sum(t * p, dim=axes(p))
    denominator = torch.sum(t, dim=axes(p)) + torch.sum(p, dim=axes(p))
    return (2.0 * inter + smooth) / (denominator + smooth)


def tversky_of(p0, g0, alpha, beta):
    p1, g1 = 1 - p0, 1 - g0
    tp = torch.sum(p0 * g0, axes(p0))
    fp = alpha * torch.sum(p0 * g1, axes(p0))
    fn = beta * torch.sum(p1 * g0, axes(p0))
    return (tp + 1e-5) / (tp + fp + fn + 1e-5)


def log_of_label(x, y):
    """log softmax at the label of each position."""
    return -F.cross_entropy(x, y[:, 0].long(), reduction="none")


def sigmoid_focal(x, t, gamma=2.0, alpha=0.25):
    loss = x - x * t - F.logsigmoid(x)
    invprobs = F.logsigmoid(-x * (t * 2 - 1))
    loss = (invprobs * gamma).exp() * loss
    return (t * alpha + (1 - t) * (1 - alpha)) * loss


def dice(x, y):
    return torch.mean(1.0 - dice_of(torch.softmax(x, 1), one_hot(y, x.shape[1])))


def dice2(x, y):
    p, t = torch.softmax(x, 1), one_hot(y, x.shape[1])
    fg = (torch.sum(p * t, axes(x)) + 1e-5) / (torch.sum(p + t, axes(x)) + 1e-5)
    bg = (torch.sum((1 - p) * (1 - t), axes(x)) + 1e-5) / (torch.sum(2 - p - t, axes(x)) + 1e-5)
    return torch.mean(1.0 - fg - bg)


def iou(x, y):
    p, t = torch.softmax(x, 1), one_hot(y, x.shape[1])
    inter = torch.sum(t * p, dim=axes(x))
    union = torch.sum(t, dim=axes(x)) + torch.sum(p, dim=axes(x)) - inter
    return torch.mean(1.0 - (inter + 1e-6) / (union + 1e-6))


def tversky(x, y):
    return torch.mean(1.0 - tversky_of(torch.softmax(x, 1), one_hot(y, x.shape[1]), 0.3, 0.7))


def focal_tversky(x, y):
    return torch.mean((1.0 - tversky_of(torch.softmax(x, 1), one_hot(y, x.shape[1]), 0.3, 0.7)) ** 0.75)


def ss(x, y, r=0.05):
    p, t = torch.softmax(x, 1), one_hot(y, x.shape[1])
    square = (t - p) ** 2
    sensitivity = torch.sum(square * t, axes(x)) / (torch.sum(t, axes(x)) + 1e-5)
    specificity = torch.sum(square * (1 - t), axes(x)) / (torch.sum(1 - t, axes(x)) + 1e-5)
    return torch.mean(r * sensitivity + (1 - r) * specificity)


def gdl(x, y):
    p, t = torch.softmax(x, 1), one_hot(y, x.shape[1])
    inter = torch.sum(t * p, axes(x))
    ground = torch.sum(t, axes(x))
    denominator = ground + torch.sum(p, axes(x))
    w = torch.reciprocal(ground * ground)
    infs = torch.isinf(w)
    w = torch.where(infs, torch.zeros_like(w), w)
    w = w + infs * torch.max(w, dim=1)[0].unsqueeze(dim=1)
    return torch.mean(1.0 - 2.0 * (inter * w).sum(1) / (denominator * w).sum(1))


def exp_log_dice(x, y):
    return torch.mean((-torch.log(dice_of(torch.softmax(x, 1), one_hot(y, x.shape[1]), 1.0))) ** 0.3)


def bce(x, y):
    return F.binary_cross_entropy_with_logits(x, one_hot(y, x.shape[1]))


def wce(x, y):
    p, t = torch.sigmoid(x), one_hot(y, x.shape[1])
    w = torch.sum(1 - p, axes(x), keepdim=True) / (torch.sum(p, axes(x), keepdim=True) + 1e-5)
    return -torch.mean(w * t * F.logsigmoid(x) + (1 - t) * F.logsigmoid(-x))


def ce(x, y):
    return F.cross_entropy(x, y[:, 0].long())


def focal(x, y):
    return torch.mean(sigmoid_focal(x, one_hot(y, x.shape[1])))


def focal_ce(x, y):
    log = log_of_label(x, y)
    return -torch.mean((1 - log.exp()) ** 2 * log)


def exp_log_ce(x, y):
    labels = y[:, 0].long()
    f = torch.bincount(labels.flatten(), minlength=x.shape[1]).float()
    w = torch.where(f > 0, torch.sqrt(f.sum() / f), torch.zeros_like(f))
    minus_log = F.cross_entropy(x, labels, reduction="none").clamp_min(1e-8)  # whose power has no slope at 0
    return torch.mean(w[labels] * minus_log**0.3)


def bce_dice(x, y):
    t = one_hot(y, x.shape[1])
    return F.binary_cross_entropy_with_logits(x, t) + torch.mean(1.0 - dice_of(torch.sigmoid(x), t))


def dice_ce(x, y):
    return dice(x, y) + ce(x, y)


def dice_and_focal(x, y):
    t = one_hot(y, x.shape[1])
    return torch.mean(1.0 - dice_of(torch.sigmoid(x), t)) + torch.mean(sigmoid_focal(x, t))


def dice_focal(x, y):
    p, t = torch.softmax(x, 1), one_hot(y, x.shape[1])
    return torch.mean(torch.sum(1.0 - tversky_of(p, t, 0.5, 0.5), 1)) + 0.5 * focal_ce(x, y)


def exp_log(x, y):
    return 0.8 * exp_log_dice(x, y) + 0.2 * exp_log_ce(x, y)


LOSSES = {
    f.__name__: f
    for f in (dice, dice2, iou, tversky, focal_tversky, ss, gdl, exp_log_dice, bce, wce, ce, focal, focal_ce, exp_log_ce,
              bce_dice, dice_ce, dice_and_focal, dice_focal, exp_log)
}


def load(args):
    shape = [args.n, args.c] + [args.side] * 3
    labels = {"uint8": torch.uint8, "int64": torch.int64}[args.labels]
    x = torch.from_file(os.path.join(args.dir, "x"), size=args.n * args.c * args.side**3, dtype=torch.float32)
    y = torch.from_file(os.path.join(args.dir, "y"), size=args.n * args.side**3, dtype=labels)
    shape_y = [args.n, 1] + [args.side] * 3
    return x.clone().reshape(shape).requires_grad_(), y.clone().reshape(shape_y)


class Settings:
    """One way to run a loss: eager or compiled, planar or channels-last."""

    def __init__(self, name, f, x, y):
        self.name, self.y = name, y
        if "channels-last" in name:
            x = x.detach().to(memory_format=torch.channels_last_3d).requires_grad_()
        self.x = x
        self.f = torch.compile(f) if "compile" in name else f

    def step(self):
        self.x.grad = None  # the default of optimizer.zero_grad
        loss = self.f(self.x, self.y)
        loss.backward()
        return loss

    def seconds(self):
        self.step()  # wakes threads and processor
        start = time.perf_counter()
        self.step()
        return time.perf_counter() - start


def status(key):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


def give_back():
    """Has the allocator return its free memory to the system."""
    libc = ctypes.CDLL(None)
    libc.malloc_trim(0)
    if hasattr(libc, "mallctl"):  # jemalloc
        libc.mallctl(b"arena.4096.purge", None, None, None, ctypes.c_size_t(0))  # of all arenas
    if hasattr(libc, "MallocExtension_ReleaseFreeMemory"):  # tcmalloc
        libc.MallocExtension_ReleaseFreeMemory()


def peak(setting):
    """Bytes of one step above those resident before it."""
    setting.x.grad = None
    try:
        give_back()  # what the steps before have left
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")  # the peak starts anew
    except (OSError, AttributeError):
        return 0
    before = status("VmRSS")
    setting.step()
    return status("VmHWM") - before


NAMES = ["eager", "eager channels-last", "compile", "compile channels-last"]


def choose(f, x, y, candidates):
    """The fastest of the candidates that run, and the time of each."""
    best, tried = None, {}
    for name in candidates:
        try:
            s = Settings(name, f, x, y)
            s.step()  # compiles
            s.step()
            t = min(s.seconds() for _ in range(5))
        except Exception as e:  # a compiler that is missing, an operation it cannot do
            tried[name] = str(e).strip().split("\n")[0][:200]
            continue
        tried[name] = t
        if best is None or t < best[0]:
            best = (t, s)
    if best is None:
        raise RuntimeError(f"no setting runs: {tried}")
    return *best, tried


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--labels", default="int64")
    for size in ("n", "c", "side"):
        parser.add_argument("--" + size, type=int)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x, y = load(args)

    def answer(**kw):
        print(json.dumps(kw), flush=True)

    capability = getattr(getattr(torch.backends, "cpu", None), "get_cpu_capability", lambda: "unknown vectors")
    answer(version=torch.__version__, threads=torch.get_num_threads(), capability=capability())
    setting = None
    for line in sys.stdin:
        command, *rest = line.split()
        try:
            if command == "loss":  # loss NAME eager|best: prepares, and gives value and gradient
                setting = None  # before the next one takes memory
                if hasattr(torch, "compiler"):
                    torch.compiler.reset()
                candidates = NAMES if rest[1] == "best" else NAMES[:1]
                seconds, setting, tried = choose(LOSSES[rest[0]], x, y, candidates)
                value = setting.step()
                setting.x.grad.contiguous().numpy().tofile(os.path.join(args.dir, "grad"))
                value = float(value.detach())
                answer(name=setting.name, value=value, seconds=seconds, tried=[f"{k}: {v if isinstance(v, str) else f'{1e3 * v:.1f} ms'}" for k, v in tried.items()],
                       peak=peak(setting))
            elif command == "time":
                answer(seconds=setting.seconds())
            elif command == "quit":
                return
        except Exception as e:
            answer(error=f"{type(e).__name__}: {e}"[:500])


if __name__ == "__main__":
    main()
