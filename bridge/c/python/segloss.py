"""The losses of segloss for PyTorch, on the CPU, through its C interface.

    go build -buildmode=c-shared -o python/libsegloss.so .    # in a clone, in bridge/c
    python3 python/example.py

From a project of your own, PYTHONPATH names this directory, and SEGLOSS_LIB the library
unless it is beside this file.

Loss is a torch.nn.Module. Plan is the part of the C interface that it uses, and the sums
of a batch over several machines, for arrays of any kind that have an address. Threads may
share a Loss; those that share a Plan hold its lock over a forward and its backward. A
process made by fork has none of Go's threads and gets a RuntimeError: multiprocessing and
DataLoader have to spawn.
"""

import ctypes
import functools
import os
import threading

import torch

ACTIVATIONS = {"none": 0, "sigmoid": 1, "softmax": 2}
TYPES = {torch.float32: 0, torch.float64: 1}
_LABELS = "uint8", "int32", "int64", "int8", "int16", "uint16", "uint32"  # PyTorch has the last two from 2.3 on
LABELS = {getattr(torch, name): i for i, name in enumerate(_LABELS, 1) if hasattr(torch, name)}
WEIGHTS = {torch.float32: "weights", torch.bool: "mask"}


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
    try:
        lib = ctypes.CDLL(path)
    except OSError as error:
        build = f"go build -buildmode=c-shared -o {os.path.abspath(path)} ."
        raise ImportError(f"{error}; to build it in a clone of the repository, in bridge/c: {build}") from error
    plan, pointer, error = ctypes.c_uint64, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
    target, number = ctypes.POINTER(Target), ctypes.POINTER(ctypes.c_double)
    lib.segloss_new.argtypes = [ctypes.c_char_p, ctypes.POINTER(Spec), ctypes.POINTER(plan), error]
    lib.segloss_free.argtypes = [plan]
    lib.segloss_forward.argtypes = [plan, pointer, target, number, error]
    lib.segloss_backward.argtypes = [plan, pointer, pointer, target, ctypes.c_double, ctypes.c_int, error]
    lib.segloss_sums_size.argtypes, lib.segloss_sums_size.restype = [plan, ctypes.c_int64], ctypes.c_int64
    lib.segloss_reduce.argtypes = [plan, pointer, ctypes.c_int64, ctypes.c_int64, pointer, target, error]
    lib.segloss_finish.argtypes = [plan, pointer, ctypes.c_int64, ctypes.c_int64, number, error]
    lib.segloss_free_string.argtypes = [ctypes.c_void_p]
    return lib


_lib, _process = load(), os.getpid()


def target(y, weights=None):
    """The target y, as large as the plan, with weights of its positions: float32, or a mask of bool.

    They are contiguous tensors, of which it holds the addresses alone. A dense target has the plan's type.
    """
    for name, t, allowed in ("target", y, {**TYPES, **LABELS}), ("weights", weights, WEIGHTS):
        if t is not None and (t.dtype not in allowed or not t.is_contiguous() or t.is_neg()):
            raise ValueError(f"{name} of {t.dtype} {tuple(t.shape)}: want contiguous memory of {_names(allowed)}")
    t = Target(y.data_ptr(), LABELS.get(y.dtype, 0))
    if weights is not None:
        setattr(t, WEIGHTS[weights.dtype], weights.data_ptr())
    return t


def _names(allowed):
    return ", ".join(map(str, allowed))


def _check_process():
    if os.getpid() != _process:
        raise RuntimeError("segloss: this process was made by fork, without Go's threads; use the start method spawn")


def _check(call, *args):
    """Calls into the library; its error becomes a ValueError."""
    _check_process()
    error = ctypes.c_void_p()
    if call(*args, ctypes.byref(error)) != 0:
        message = ctypes.string_at(error).decode()
        _lib.segloss_free_string(error)
        raise ValueError(message)


class Plan:
    """A loss for predictions of one shape, at the addresses x and dx."""

    _plan = None

    def __init__(self, loss, n, c, s, dtype, activation, ignore_index=None, workers=0):
        for name, value, allowed in ("prediction", dtype, TYPES), ("activation", activation, ACTIVATIONS):
            if value not in allowed:
                raise ValueError(f"{name} of {value}: want one of {_names(allowed)}")
        if "\0" in loss:
            raise ValueError(f"loss of {loss!r}: it would end at the NUL")
        for name, value, bits in ("ignore_index", ignore_index or 0, 64), ("workers", workers, 32):
            if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
                raise ValueError(f"{name} = {value} has more than {bits} bits")
        spec = Spec(n, c, s, TYPES[dtype], ACTIVATIONS[activation], 0, workers,
                    ignore_index is not None, ignore_index or 0, 0, None)
        self._lock, self.calls, plan = threading.Lock(), 0, ctypes.c_uint64()
        _check(_lib.segloss_new, loss.encode(), ctypes.byref(spec), ctypes.byref(plan))
        self._plan = plan

    def __del__(self):
        if self._plan is not None and os.getpid() == _process:
            _lib.segloss_free(self._plan)

    def __reduce__(self):
        raise TypeError("a Plan is memory of this process: it cannot be copied or pickled")

    @property
    def lock(self):
        """For calls that belong together."""
        _check_process()  # a fork may have left it locked for ever
        return self._lock

    def _pass(self, call, *args):
        """The loss of a pass, which backward goes back from until the next one."""
        loss = ctypes.c_double()
        _check(call, self._plan, *args, ctypes.byref(loss))
        self.calls += 1
        return loss.value

    def forward(self, x, target):
        return self._pass(_lib.segloss_forward, x, ctypes.byref(target))

    def backward(self, dx, x, target, scale):
        """The gradient of the last forward or finish."""
        _check(_lib.segloss_backward, self._plan, dx, x, ctypes.byref(target), scale, 0)

    def sums(self, rows):
        """What the processes of a batch of so many samples add up: a row for each, all 0."""
        _check_process()
        return torch.zeros(rows, _lib.segloss_sums_size(self._plan, 1), dtype=torch.float64)

    def reduce(self, sums, row, x, target):
        """Fills the rows of x, from row on. The others have to be 0, in every step anew."""
        _check(_lib.segloss_reduce, self._plan, sums.data_ptr(), len(sums), row, x, ctypes.byref(target))

    def finish(self, sums, row):
        """The loss of the whole batch from everybody's sums; backward gives the part from row on."""
        return self._pass(_lib.segloss_finish, sums.data_ptr(), len(sums), row)


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y, weights, plan):
        ctx.save_for_backward(x, y, weights)
        with plan.lock:
            loss = plan.forward(x.data_ptr(), target(y, weights))
            ctx.plan, ctx.call = plan, plan.calls
        return x.new_tensor(loss)

    @staticmethod
    def backward(ctx, grad):
        return _Gradient.apply(grad, *ctx.saved_tensors, ctx), None, None, None


class _Gradient(torch.autograd.Function):
    """The gradient of a pass. As a function it has a derivative that can be refused."""

    @staticmethod
    def forward(ctx, grad, x, y, weights, passed):
        x, y, weights = map(_in_order, (x, y, weights))  # hooks may have saved them otherwise
        dx, t, plan = torch.empty_like(x), target(y, weights), passed.plan
        with plan.lock:
            if passed.call != plan.calls:  # another pass went forward since
                plan.forward(x.data_ptr(), t)
            plan.backward(dx.data_ptr(), x.data_ptr(), t, float(grad))
        return dx

    @staticmethod
    def backward(ctx, grad):
        raise RuntimeError("segloss: a loss has no second derivatives here")


def _in_order(t):
    """A tensor whose memory is what it says, in the order of its shape."""
    return None if t is None else t.resolve_neg().contiguous()


class Loss(torch.nn.Module):
    """A loss such as "dice + 0.5*ce" of predictions [N, C, ...] on the CPU.

    The activation is none for probabilities, sigmoid or softmax for logits. A wrong one is no
    error: with none and logits, region losses may become negative or larger than 1, and
    ce is 16.1 with gradient 0 where the logit of the right class is below 0; with softmax and
    probabilities, ce stays at or above 0.313 for two classes, and bce with sigmoid.
    A prediction of two axes is one sample, [C, S]; what a classifier gives has to be
    reshaped to [N, C, 1].
    The target is a map of labels [N, ...] of integers, or dense, of the prediction's shape
    and type. Weights of the positions [N, ...] are float32, or a mask of bool. Neither gets
    a gradient. Plans are kept for the last shapes.
    """

    def __init__(self, loss, activation, ignore_index=None, workers=0):
        super().__init__()
        self.loss, self.activation, self.ignore_index, self.workers = loss, activation, ignore_index, workers
        self._plans = functools.lru_cache(8)(Plan)

    def __getstate__(self):
        return {**self.__dict__, "_plans": None}

    def __setstate__(self, state):
        super().__setstate__(state)
        self._plans = functools.lru_cache(8)(Plan)

    def forward(self, x, y, weights=None):
        for name, t in ("prediction", x), ("target", y), ("weights", weights):
            if t is not None and t.device.type != "cpu":
                raise ValueError(f"{name} on {t.device}: only the CPU is served")
            if t is not None and t is not x and t.requires_grad and torch.is_grad_enabled():
                raise ValueError(f"{name} that requires a gradient, which it does not get: detach it")
        if x.dim() < 2:
            raise ValueError(f"prediction of shape {tuple(x.shape)}: it has at least two axes, of classes and positions")
        axis = 0 if x.dim() == 2 else 1  # of the classes; of two axes there is none of samples
        n, c, s = x.shape[:axis].numel(), x.shape[axis], x.shape[axis + 1:].numel()
        plan = self._plans(self.loss, n, c, s, x.dtype, self.activation, self.ignore_index, self.workers)
        _check_shapes(x, y, weights, x.shape[:axis] + x.shape[axis + 1:])
        return _Function.apply(*map(_in_order, (x, y, weights)), plan)


def _check_shapes(x, y, weights, places):
    if y.dtype not in LABELS and y.dtype != x.dtype or y.shape != (x.shape if y.dtype == x.dtype else places):
        raise ValueError(f"target of {y.dtype} {tuple(y.shape)} for a prediction of {x.dtype} {tuple(x.shape)}")
    if weights is not None and (weights.dtype not in WEIGHTS or weights.shape != places):
        raise ValueError(f"weights of {weights.dtype} {tuple(weights.shape)}: want {_names(WEIGHTS)} of {tuple(places)}")
