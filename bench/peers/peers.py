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


def dice(x, y):
    p, t = torch.softmax(x, 1), one_hot(y, x.shape[1])
    inter = torch.sum(t * p, dim=axes(x))
    denominator = torch.sum(t, dim=axes(x)) + torch.sum(p, dim=axes(x))
    return torch.mean(1.0 - (2.0 * inter + 1e-5) / (denominator + 1e-5))


def tversky(x, y, alpha=0.3, beta=0.7):
    p0, g0 = torch.softmax(x, 1), one_hot(y, x.shape[1])
    p1, g1 = 1 - p0, 1 - g0
    tp = torch.sum(p0 * g0, axes(x))
    fp = alpha * torch.sum(p0 * g1, axes(x))
    fn = beta * torch.sum(p1 * g0, axes(x))
    return torch.mean(1.0 - (tp + 1e-5) / (tp + fp + fn + 1e-5))


def bce(x, y):
    return F.binary_cross_entropy_with_logits(x, one_hot(y, x.shape[1]))


def sigmoid_focal(x, t, gamma=2.0, alpha=0.25):
    loss = x - x * t - F.logsigmoid(x)
    invprobs = F.logsigmoid(-x * (t * 2 - 1))
    loss = (invprobs * gamma).exp() * loss
    return (t * alpha + (1 - t) * (1 - alpha)) * loss


def focal(x, y):
    return torch.mean(sigmoid_focal(x, one_hot(y, x.shape[1])))


def dice_focal(x, y):
    t = one_hot(y, x.shape[1])
    p = torch.sigmoid(x)
    inter = torch.sum(t * p, dim=axes(x))
    denominator = torch.sum(t, dim=axes(x)) + torch.sum(p, dim=axes(x))
    return torch.mean(1.0 - (2.0 * inter + 1e-5) / (denominator + 1e-5)) + torch.mean(sigmoid_focal(x, t))


def dice_ce(x, y):
    return dice(x, y) + F.cross_entropy(x, y[:, 0].long())


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


LOSSES = dict(dice=dice, tversky=tversky, bce=bce, focal=focal, dice_focal=dice_focal, dice_ce=dice_ce, gdl=gdl)


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
        start = time.perf_counter()
        self.step()
        return time.perf_counter() - start


def status(key):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


def peak(setting):
    """Bytes of one step above those resident before it."""
    setting.x.grad = None
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what the steps before have left
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
            t = min(s.seconds() for _ in range(3))
        except Exception as e:  # a compiler that is missing, an operation it cannot do
            tried[name] = str(e).strip().split("\n")[0][:200]
            continue
        tried[name] = t
        if best is None or t < best[0]:
            best = (t, s)
    if best is None:
        raise RuntimeError(f"no setting runs: {tried}")
    return best[1], tried


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
                setting, tried = choose(LOSSES[rest[0]], x, y, candidates)
                value = setting.step()
                setting.x.grad.contiguous().numpy().tofile(os.path.join(args.dir, "grad"))
                value = float(value.detach())
                answer(name=setting.name, value=value, tried=[f"{k}: {v if isinstance(v, str) else f'{1e3 * v:.1f} ms'}" for k, v in tried.items()],
                       peak=peak(setting))
            elif command == "time":
                answer(seconds=setting.seconds())
            elif command == "quit":
                return
        except Exception as e:
            answer(error=f"{type(e).__name__}: {e}"[:500])


if __name__ == "__main__":
    main()
