"""What segloss.py promises, beyond its example."""

import copy
import gc
import io
import os
import pickle
import signal
import sys
import threading
import traceback

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

import segloss

torch.manual_seed(0)
x, y = torch.randn(2, 3, 5, 7, dtype=torch.float64), torch.randint(0, 3, (2, 5, 7))
ignored = y.clone()
ignored[0, 0, 0] = -100
ignoring = segloss.Loss("dice + ce", activation="softmax", ignore_index=-100)
ce = segloss.Loss("ce", activation="softmax", ignore_index=-100)


def gradient(loss, x, *target):
    x = x.detach().clone().requires_grad_()
    loss(x, *target).backward()
    return x.grad


def same(loss, other, x, y):
    return loss(x, y) == other(x, y) and torch.equal(gradient(loss, x, y), gradient(other, x, y))


def raises(kind, message, wrong, *args):
    try:
        wrong(*args)
    except kind as error:
        assert message in str(error), error
    else:
        raise AssertionError(f"no error that says {message!r}")


def check_values():
    dense = segloss.Loss("bce + tversky", activation="sigmoid")
    r = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: ignoring(x, ignored), x.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda x: dense(x, r), x.clone().requires_grad_())
    for label, labels in (-100, ignored), (0, y):
        ours = segloss.Loss("ce", activation="softmax", ignore_index=label)
        theirs = torch.nn.functional.cross_entropy(x, labels, ignore_index=label)
        assert abs(ours(x, labels) - theirs) < 1e-14
    assert {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64} <= set(segloss.LABELS)
    for kind in segloss.LABELS:
        assert ignoring(x, y.to(kind)) == ignoring(x, y)
        assert torch.equal(gradient(ignoring, x, y.to(kind)), gradient(ignoring, x, y))


def check_weights():
    """They are those of the positions; 0 is a position that does not exist, and so is a mask's False."""
    there = ignored != -100
    plain = segloss.Loss("dice + ce", "softmax")
    for target in y, torch.nn.functional.one_hot(y, 3).movedim(-1, 1).double():
        for weights in there, there.float(), there.mT.contiguous().mT:
            assert abs(plain(x, target, weights) - ignoring(x, ignored)) < 1e-14
            assert (gradient(plain, x, target, weights) - gradient(ignoring, x, ignored)).abs().max() < 1e-15
    weights = torch.rand(2, 5, 7)
    theirs = (weights * torch.nn.functional.cross_entropy(x, y, reduction="none")).sum() / weights.double().sum()
    plain = segloss.Loss("ce", "softmax")
    assert abs(plain(x, y, weights) - theirs) < 1e-14
    assert torch.autograd.gradcheck(lambda x: plain(x, y, weights), x.clone().requires_grad_())
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    first, second = plain(a, y, weights), plain(b, y)
    first.backward()  # another pass has gone forward since, without weights
    assert torch.equal(a.grad, gradient(plain, x, y, weights)) and not torch.equal(a.grad, gradient(plain, x, y))


def check_negated():
    """PyTorch may leave it to who reads a tensor to change its sign."""
    dense, negated = segloss.Loss("dice", "sigmoid"), torch._neg_view
    r, weights = x.sigmoid(), torch.rand(2, 5, 7)
    assert dense(negated(-x), negated(-r), negated(-weights)) == dense(x, r, weights)
    assert torch.equal(gradient(dense, x, negated(-r), negated(-weights)), gradient(dense, x, r, weights))
    raises(ValueError, "target of torch.float64", segloss.target, negated(-r))


def check_two_axes():
    """One sample, [C, S], as everywhere."""
    one, labels, weights = x[0].flatten(1), y[0].flatten(), torch.rand(35)
    plain, dense = segloss.Loss("dice + ce", "softmax"), segloss.Loss("dice + bce", "sigmoid")
    assert plain(one, labels) == plain(one[None], labels[None])
    assert dense(one, one.sigmoid()) == dense(one[None], one[None].sigmoid())
    assert torch.equal(gradient(plain, one, labels, weights), gradient(plain, one[None], labels[None], weights[None])[0])
    raises(ValueError, "target of torch.int64 (35,) for a prediction of torch.float64 (35, 3)", plain, one.mT, labels)


def check_memory_in_another_order():
    wide, labels = torch.randn(2, 5, 7, 3), y.mT.contiguous().mT
    assert not labels.is_contiguous()
    got = wide.clone().requires_grad_()
    ignoring(got.movedim(-1, 1), labels).backward()
    assert torch.equal(got.grad.movedim(-1, 1), gradient(ignoring, wide.movedim(-1, 1).contiguous(), y))


def check_passes_that_interleave():
    a, b = x.clone().requires_grad_(), x.flip(2).clone().requires_grad_()
    both = ignoring(a, y) + 2 * ignoring(b, y)
    raises(ValueError, "label out of range", ignoring, x, y + 3)
    both.backward()
    assert torch.equal(a.grad, gradient(ignoring, x, y))
    assert torch.equal(b.grad, 2 * gradient(ignoring, x.flip(2), y))
    last = ignoring(a, y)
    raises(ValueError, "label out of range", ignoring, x, y + 3)
    last.backward()  # of the pass before the one that failed
    assert torch.equal(a.grad, 2 * gradient(ignoring, x, y))


def check_saved_tensors():
    """What is saved may come back as other memory, in another order; the first may be gone."""
    a, labels = x.clone().requires_grad_(), y.clone()
    with saved_tensors_hooks(lambda t: t.clone(), lambda t: t.mT.contiguous().mT):
        loss = ignoring(a, labels)
    ignoring(x.flip(2), y)
    labels.zero_()
    loss.backward()
    assert torch.equal(a.grad, gradient(ignoring, x, y))

    a, short = x.clone().requires_grad_(), y.short()
    loss = checkpoint(lambda x: ignoring(x, short.long()), a, use_reentrant=False)
    others = [torch.ones_like(y) for _ in range(20)]  # where the labels have been
    loss.backward()
    assert torch.equal(a.grad, gradient(ignoring, x, y)), others


def check_threads():
    sys.setswitchinterval(1e-6)
    inputs = [torch.randn(1, 3, 4, 4) for _ in range(4)]
    labels = torch.randint(0, 3, (1, 4, 4))
    want, wrong = [gradient(ignoring, i, labels) for i in inputs], []

    def work(i):
        for _ in range(500):
            if not torch.equal(gradient(ignoring, inputs[i], labels), want[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def check_pass_of_another_thread():
    """It waits until the number of the pass before it is taken down."""
    forward = segloss.Plan.forward
    other = segloss.Loss("dice + ce", activation="softmax", ignore_index=-100)

    def interrupted(plan, *args):
        segloss.Plan.forward, value = forward, forward(plan, *args)
        thread = threading.Thread(target=other, args=(x.flip(2), y))
        thread.start()
        thread.join(0.2)
        return value

    segloss.Plan.forward = interrupted
    assert torch.equal(gradient(other, x, y), gradient(ignoring, x, y))


def check_copies():
    loss = segloss.Loss("dice", activation="softmax")
    want = gradient(loss, x, y)
    copies = copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), copy.copy(loss)
    a = x.clone().requires_grad_()
    value = loss(a, y)
    for other in copies:
        assert torch.equal(gradient(other, x, y), want)
        other(x.flip(2), y)
    del copies, other
    gc.collect()
    value.backward()
    assert torch.equal(a.grad, want)
    torch.save(torch.nn.Sequential(loss), io.BytesIO())
    plan = segloss.Plan("dice", 1, 2, 3, torch.float32, "softmax")
    raises(TypeError, "copied", copy.copy, plan)
    raises(TypeError, "pickled", pickle.dumps, plan)


def check_no_second_derivative():
    a = x.clone().requires_grad_()
    first, = torch.autograd.grad(ignoring(a, y), a, create_graph=True)
    assert torch.equal(first, gradient(ignoring, x, y))
    raises(RuntimeError, "no second derivative", first.pow(2).sum().backward)


def check_attributes_may_change():
    loss = segloss.Loss("dice", activation="softmax")
    loss(x, y)
    loss.loss, loss.ignore_index = "dice + ce", -100
    assert same(loss, ignoring, x, ignored)


def check_plans_of_many_shapes():
    def alive():
        gc.collect()
        return sum(type(o) is segloss.Plan for o in gc.get_objects())

    loss, before = segloss.Loss("dice", activation="softmax"), alive()
    first = x.clone().requires_grad_()
    value = loss(first, y)
    for n in range(2, 50):
        loss(torch.zeros(1, 2, n), torch.zeros(1, n, dtype=torch.uint8))
    assert alive() - before < 20
    value.backward()
    assert torch.equal(first.grad, gradient(loss, x, y))


def check_shards():
    """Two processes that have a sample each have the bits of one that has both, in every step."""
    shards = [segloss.Plan("dice(batch=true) + ce + gdl", 1, 3, 35, torch.float64, "softmax") for _ in range(2)]
    sums = [plan.sums(2) for plan in shards]
    for logits in x, x.flip(2):
        whole = segloss.Loss("dice(batch=true) + ce + gdl", activation="softmax")
        want, got = gradient(whole, logits, y), torch.empty_like(logits)
        for i, plan in enumerate(shards):
            sums[i].zero_()
            plan.reduce(sums[i], i, logits[i].data_ptr(), segloss.target(y[i]))
        total = sums[0] + sums[1]
        for i, plan in enumerate(shards):
            sums[i].copy_(total)  # all-reduce
            assert plan.finish(sums[i], i) == whole(logits, y)
            plan.backward(got[i].data_ptr(), logits[i].data_ptr(), segloss.target(y[i]), 1)
        assert torch.equal(got, want)


def forked(plan, call):
    """The rest of a child, which ends without Python's way out."""
    signal.alarm(20)
    try:
        raises(RuntimeError, "spawn", call)
        raises(RuntimeError, "spawn", segloss.Plan, "dice", 1, 2, 3, torch.float32, "softmax")
        raises(RuntimeError, "spawn", plan.sums, 1)
        segloss._lib.segloss_free = lambda plan: os._exit(2)
        plan.__del__()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def check_fork():
    """A child gets an error instead of waiting for threads that it does not have."""
    large, labels = torch.randn(2, 3, 400, 400), torch.randint(0, 3, (2, 400, 400))
    loss = segloss.Loss("dice", activation="softmax")
    plan = loss(large.requires_grad_(), labels).grad_fn.plan
    with plan.lock:  # as if another thread were in a call
        child = os.fork() or forked(plan, lambda: loss(large, labels))
    assert os.waitpid(child, 0)[1] == 0


def check_nothing():
    for n, s in (2, 0), (0, 7), (0, 0):
        assert ignoring(torch.zeros(n, 3, s), torch.zeros(n, s, dtype=torch.int64)) == 0


def check_errors():
    def dice(activation="softmax", **options):
        return segloss.Loss("dice", activation, **options)(x, y)

    meta, wanting, weights = (lambda t: t.to("meta")), x.clone().requires_grad_(), torch.ones(2, 5, 7)
    for wrong, message in [
        (lambda: segloss.Loss("dise", "none")(x, x), "dice"),
        (lambda: ce(x, y[:1]), "target of"),
        (lambda: ce(x, y.bool()), "target of"),
        (lambda: ce(x, y.clamp(min=7)), "label out of range"),
        (lambda: ce(x, -y.to(torch.int8).clamp(min=1)), "= -1: label out of range"),
        (lambda: ce(x.half(), y), "float16"),
        (lambda: ce(x.bfloat16(), y), "prediction of torch.bfloat16"),
        (lambda: ce(x, y.half()), "target of torch.float16"),
        (lambda: ce(x, x.float()), "target of torch.float32"),
        (lambda: ce(x.long(), y), "prediction of torch.int64: want one of"),
        (lambda: segloss.Loss("dice\0 + ce", "softmax")(x, y), "loss of 'dice\\x00 + ce'"),
        (lambda: ce(x[0, 0, 0], y), "prediction of shape (7,): it has at least two axes"),
        (lambda: ce(x[0, 0, 0, 0], y), "prediction of shape ()"),
        (lambda: ce(x, y, y), "weights of torch.int64"),
        (lambda: ce(x, y, weights[:1]), "weights of torch.float32 (1, 5, 7): want torch.float32, torch.bool of (2, 5, 7)"),
        (lambda: ce(x, y, weights[:, None]), "weights of torch.float32 (2, 1, 5, 7)"),
        (lambda: ce(x, y, -weights), "weight negative or not finite"),
        (lambda: ce(x, y, meta(weights)), "weights on meta"),
        (lambda: ce(x, y, weights.clone().requires_grad_()), "weights that requires a gradient"),
        (lambda: segloss.target(y.bool()), "target of torch.bool"),
        (lambda: segloss.target(y.half()), "target of torch.float16"),
        (lambda: segloss.target(y.mT), "want contiguous memory"),
        (lambda: segloss.target(y, y), "weights of torch.int64"),
        (lambda: ce(meta(x), y), "prediction on meta"),
        (lambda: ce(x, meta(y)), "target on meta"),
        (lambda: ce(x, wanting), "requires a gradient"),
        (lambda: ignoring(x, x.softmax(1)), "the ignore index -100 is for labels"),
        (lambda: segloss.Loss("bce", "sigmoid", 255)(x[:, :1], (y == 1).double()[:, None]), "the ignore index 255 is for labels"),
        (lambda: dice(activation="softmix"), "softmix"),
        (lambda: dice(ignore_index=2**63), "ignore_index = 9223372036854775808"),
        (lambda: dice(workers=2**32), "workers = 4294967296"),
    ]:
        raises(ValueError, message, wrong)
    raises(TypeError, "activation", segloss.Loss, "dice")
    with torch.no_grad():
        segloss.Loss("bce", activation="sigmoid")(x, torch.rand_like(x).requires_grad_())
    segloss.Plan.__new__(segloss.Plan).__del__()
    os.environ["SEGLOSS_LIB"] = "/nowhere/libsegloss.so"
    raises(ImportError, "go build -buildmode=c-shared -o /nowhere/libsegloss.so", segloss.load)


for name, check in list(globals().items()):
    if name.startswith("check_"):
        check()
