"""The losses of segloss for PyTorch, on the CPU, through its C interface.

    go build -buildmode=c-shared -o python/libsegloss.so .    # in bridge/c
    python3 python/example.py

Loss is a torch.nn.Module; Plan is the C interface itself, for arrays of any kind that
have an address.
"""

import ctypes
import os

import torch

ACTIVATIONS = {"none": 0, "sigmoid": 1, "softmax": 2}
TYPES = {torch.float32: 0, torch.float64: 1}
LABELS = {torch.uint8: 1, torch.int32: 2, torch.int64: 3}


class Spec(ctypes.Structure):
    _fields_ = [
        ("n", ctypes.c_int64), ("c", ctypes.c_int64), ("s", ctypes.c_int64),
        ("type", ctypes.c_int32), ("activation", ctypes.c_int32), ("layout", ctypes.c_int32),
        ("workers", ctypes.c_int32), ("has_ignore", ctypes.c_int32),
        ("ignore", ctypes.c_int64), ("clip", ctypes.c_double), ("backend", ctypes.c_char_p),
    ]


class Target(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("type", ctypes.c_int32), ("n", ctypes.c_int64), ("s", ctypes.c_int64),
        ("weights", ctypes.c_void_p), ("mask", ctypes.c_void_p),
    ]


def load():
    """The shared library: at $SEGLOSS_LIB, or beside this file."""
    path = os.environ.get("SEGLOSS_LIB") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "libsegloss.so")
    lib = ctypes.CDLL(path)
    plan, pointer, error = ctypes.c_uint64, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
    target, number = ctypes.POINTER(Target), ctypes.POINTER(ctypes.c_double)
    lib.segloss_new.argtypes = [ctypes.c_char_p, ctypes.POINTER(Spec), ctypes.POINTER(plan), error]
    lib.segloss_free.argtypes = [plan]
    lib.segloss_forward.argtypes = [plan, pointer, target, number, error]
    lib.segloss_backward.argtypes = [plan, pointer, pointer, target, ctypes.c_double, ctypes.c_int, error]
    lib.segloss_free_string.argtypes = [ctypes.c_void_p]
    return lib


_lib = load()


def _check(call, *args):
    """Calls into the library; its error becomes a ValueError."""
    error = ctypes.c_void_p()
    if call(*args, ctypes.byref(error)) != 0:
        message = ctypes.string_at(error).decode()
        _lib.segloss_free_string(error)
        raise ValueError(message)


class Plan:
    """A loss for predictions of one shape."""

    def __init__(self, loss, n, c, s, dtype, activation="none", ignore_index=None, workers=0):
        self._plan, self.calls = ctypes.c_uint64(), 0
        for value, allowed in (dtype, TYPES), (activation, ACTIVATIONS):
            if value not in allowed:
                raise ValueError(f"{value!r} is none of {', '.join(map(str, allowed))}")
        spec = Spec(n, c, s, TYPES[dtype], ACTIVATIONS[activation], 0, workers,
                    ignore_index is not None, ignore_index or 0, 0, None)
        _check(_lib.segloss_new, loss.encode(), ctypes.byref(spec), ctypes.byref(self._plan))

    def __del__(self):
        _lib.segloss_free(self._plan)

    def forward(self, x, target):
        loss = ctypes.c_double()
        _check(_lib.segloss_forward, self._plan, x, ctypes.byref(target), ctypes.byref(loss))
        self.calls += 1
        return loss.value

    def backward(self, dx, x, target, scale):
        """The gradient of the last forward pass."""
        _check(_lib.segloss_backward, self._plan, dx, x, ctypes.byref(target), scale, 0)


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y, plan):
        target = Target(y.data_ptr(), LABELS.get(y.dtype, 0))
        loss = plan.forward(x.data_ptr(), target)
        ctx.save_for_backward(x, y)
        ctx.plan, ctx.target, ctx.call = plan, target, plan.calls
        return x.new_tensor(loss)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        x, _ = ctx.saved_tensors
        if ctx.call != ctx.plan.calls:  # another pass went forward since
            ctx.plan.forward(x.data_ptr(), ctx.target)
            ctx.call = ctx.plan.calls
        dx = torch.empty_like(x)
        ctx.plan.backward(dx.data_ptr(), x.data_ptr(), ctx.target, float(grad))
        return dx, None, None


class Loss(torch.nn.Module):
    """A loss such as "dice + 0.5*ce" of predictions [N, C, ...] on the CPU.

    The target is a map of labels [N, ...] of uint8, int32 or int64, or dense, of the
    prediction's shape and type.
    """

    def __init__(self, loss, activation="none", ignore_index=None, workers=0):
        super().__init__()
        self.loss, self.activation, self.ignore_index, self.workers = loss, activation, ignore_index, workers
        self._plans = {}

    def forward(self, x, y):
        if x.device.type != "cpu" or y.device.type != "cpu":
            raise ValueError(f"prediction on {x.device}, target on {y.device}: only the CPU is served")
        if x.dim() < 2:
            raise ValueError(f"prediction of shape {tuple(x.shape)}: it has at least the axes N and C")
        want = x.shape if y.dtype == x.dtype else x.shape[:1] + x.shape[2:]
        if y.dtype not in LABELS and y.dtype != x.dtype or y.shape != want:
            raise ValueError(f"target of {y.dtype} {tuple(y.shape)} for a prediction of {x.dtype} {tuple(x.shape)}")
        key = (x.shape, x.dtype)
        if key not in self._plans:
            n, c = x.shape[:2]
            self._plans[key] = Plan(self.loss, n, c, x.shape[2:].numel(), x.dtype, self.activation, self.ignore_index, self.workers)
        return _Function.apply(x.contiguous(), y.contiguous(), self._plans[key])
