"""The losses of bench/peers on a GPU, as they come and compiled, timed on request.

Run by `go run ./bench/gpu`, which says on standard input what to time and reads lines of
JSON. Each time is the median of repeated calls between two events of the device.
"""

import json
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))

import torch  # noqa: E402

import peers  # noqa: E402

torch.set_default_device("cuda")


def seconds(call):
    times = []
    for i in range(25):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        end.synchronize()
        if i >= 5:
            times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times)


def measure(ask):
    loss = getattr(peers, ask["loss"])
    x = torch.randn(1, ask["classes"], ask["positions"], dtype=getattr(torch, ask["type"])).mul_(2)
    y = torch.randint(ask["classes"], (1, 1, ask["positions"]), dtype=torch.uint8)

    def both(f):
        leaf = x.detach().requires_grad_()
        f(leaf, y).backward()

    answer = {}
    for name, f in (("eager", loss), ("compiled", torch.compile(loss))):
        try:
            with torch.no_grad():
                answer[name + "_forward"] = seconds(lambda: f(x, y))
            answer[name + "_both"] = seconds(lambda: both(f))
        except Exception as e:  # a loss that does not compile has no time
            print(ask["loss"], name, repr(e)[:300], file=sys.stderr)
    torch.cuda.empty_cache()
    return answer


def main():
    if not torch.cuda.is_available():
        sys.exit("no GPU")
    print("PyTorch", torch.__version__, torch.cuda.get_device_name(), flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
