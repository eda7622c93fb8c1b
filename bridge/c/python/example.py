"""Dice of segloss and of PyTorch's own operations: gradients, training, time."""

import time

import torch

import segloss


def own_dice(x, y):
    """Soft Dice with smooth=1, the mean over samples and classes, from logits."""
    p = torch.softmax(x, 1)
    r = torch.nn.functional.one_hot(y, x.shape[1]).movedim(-1, 1).to(x.dtype)
    axes = tuple(range(2, x.dim()))
    overlap = (p * r).sum(axes)
    return (1 - (2 * overlap + 1) / (p.sum(axes) + r.sum(axes) + 1)).mean()


def gradient(loss, x, y):
    x = x.detach().requires_grad_()
    loss(x, y).backward()
    return x.grad


def timed(loss, x, y, rounds=5):
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        gradient(loss, x, y)
        best = min(best, time.perf_counter() - start)
    return best


def main():
    torch.manual_seed(1)
    x, y = torch.randn(2, 4, 48, 48, 48), torch.randint(0, 4, (2, 48, 48, 48))
    ours = segloss.Loss("dice(smooth=1)", activation="softmax")
    a, b = gradient(ours, x, y), gradient(own_dice, x, y)
    difference = ((a - b).abs().max() / b.abs().max()).item()
    print(f"largest difference of the gradients: {difference:.1e} of the largest element")
    assert difference < 1e-5

    torch.manual_seed(1)
    image = torch.randn(1, 1, 24, 24)
    lesion = (image[:, 0] > 1.5).long()
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 2, 1))
    criterion = segloss.Loss("dice(background=false) + ce", activation="softmax")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = criterion(model(image), lesion)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"training: loss {losses[0]:.2f} at first, {losses[-1]:.2f} after {len(losses)} steps")
    assert losses[-1] < losses[0] / 4

    print(f"time of a step: PyTorch's operations take {timed(own_dice, x, y) / timed(ours, x, y):.0f} times as long")


if __name__ == "__main__":
    main()
