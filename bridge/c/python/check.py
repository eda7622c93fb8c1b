"""What segloss.py promises, beyond its example."""

import torch

import segloss

torch.manual_seed(0)
x, y = torch.randn(2, 3, 5, 7, dtype=torch.float64), torch.randint(0, 3, (2, 5, 7))

# gradients by PyTorch's own checker, with labels to ignore and a dense target
y[0, 0, 0] = -100
ignoring = segloss.Loss("dice + ce", activation="softmax", ignore_index=-100)
assert torch.autograd.gradcheck(lambda x: ignoring(x, y), x.clone().requires_grad_())
dense = segloss.Loss("bce + tversky", activation="sigmoid")
assert torch.autograd.gradcheck(lambda x: dense(x, torch.rand(2, 3, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))), x.clone().requires_grad_())

# the same number as PyTorch's cross-entropy
ce = segloss.Loss("ce", activation="softmax", ignore_index=-100)
assert abs(ce(x, y) - torch.nn.functional.cross_entropy(x, y)) < 1e-14

# two passes of one loss forward before either goes back, a view that is not contiguous
a, b = x.clone().requires_grad_(), x.flip(2).clone().requires_grad_()
(ignoring(a, y) + 2 * ignoring(b, y)).backward()
c, d = x.clone().requires_grad_(), x.flip(2).clone().requires_grad_()
ignoring(c, y).backward()
(2 * ignoring(d, y)).backward()
assert torch.equal(a.grad, c.grad) and torch.equal(b.grad, d.grad)
wide = torch.randn(2, 5, 7, 3).requires_grad_()
segloss.Loss("dice", activation="softmax")(wide.movedim(-1, 1), y.clamp(min=0).int()).backward()
assert wide.grad.shape == wide.shape and wide.grad.abs().sum() > 0

# no position at all
assert segloss.Loss("dice", activation="softmax")(torch.zeros(2, 3, 0, 7), torch.zeros(2, 0, 7, dtype=torch.int64)) == 0

for wrong, message in [
    (lambda: segloss.Loss("dise")(x, x), "dice"),
    (lambda: ce(x, y[:1]), "target of"),
    (lambda: ce(x, y.bool()), "target of"),
    (lambda: ce(x, y.clamp(min=7)), "label out of range"),
    (lambda: ce(x.half(), y), "float16"),
    (lambda: ce(x[0, 0, 0], y), "at least the axes"),
    (lambda: segloss.Loss("dice", activation="softmix")(x, y), "softmix"),
]:
    try:
        wrong()
    except ValueError as error:
        assert message in str(error), error
    else:
        raise AssertionError(f"no error that says {message!r}")
