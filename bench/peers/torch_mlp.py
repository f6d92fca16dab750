"""PyTorch as a peer of lab 13's devices: the same network on the same card, from rows in memory to answers in memory.

argv: the device ("cpu", "cuda:0", "cuda:1:bf16"), the precision (fp32, tf32, fp16, bf16), "eager" or "graphs" (CUDA
graphs), the model (a safetensors file, or a shape as 784,4096,4096,10, whose weights are random), the rows of a batch.
"""
import os
import signal
import sys
import time

from layers import read_layers
from peer import refuse, serve

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "build", "python"))
try:
    import torch
except ImportError:
    refuse("lost", "there is no PyTorch here (./setup bench-cuda installs it)")

WARM_RUNS = 20
TYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
TOLERANCES = {"fp32": 1e-4, "tf32": 5e-3, "fp16": 5e-3, "bf16": 4e-2}  # as gpu/cuda/backend.h has them


def load_layers(path):
    return [[torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape) for shape, data in layer]
            for layer in read_layers(path)]


def make_layers(shape):
    torch.manual_seed(1)
    return [(torch.randn(outputs, inputs) * (2 / inputs) ** 0.5, torch.zeros(outputs))
            for inputs, outputs in zip(shape, shape[1:])]


class Network(torch.nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = torch.nn.ModuleList()
        for weight, bias in layers:
            layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
            layer.weight.data.copy_(weight)
            layer.bias.data.copy_(bias)
            self.layers.append(layer)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return torch.softmax(self.layers[-1](x).float(), dim=1)


def capture(step):
    """A CUDA graph of the step, after it has run on another stream, as PyTorch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if len(sys.argv) != 6 or sys.argv[2] not in TYPES or sys.argv[3] not in ("eager", "graphs"):
        sys.exit(__doc__)
    text, precision, how, model, rows = sys.argv[1:]
    on_card = text.startswith("cuda")
    device = torch.device(":".join(text.split(":")[:2]))
    if on_card and not torch.cuda.is_available():
        refuse("lost", "this PyTorch finds no card")
    if on_card:
        torch.cuda.set_device(device)  # for the streams and graphs that are told none
    else:
        torch.set_num_threads(1)  # a core, as ours
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    layers = load_layers(model) if os.path.exists(model) else make_layers([int(width) for width in model.split(",")])
    reference = Network(layers).double().eval()
    network = Network(layers).to(device=device, dtype=TYPES[precision]).eval()
    x = torch.rand(int(rows), layers[0][0].shape[1])
    answer = torch.empty(int(rows), layers[-1][0].shape[0])
    if on_card:
        x, answer = x.pin_memory(), answer.pin_memory()
    there, back = torch.empty_like(x, device=device), torch.empty_like(answer, device=device)

    def compute():
        back.copy_(network(there.to(TYPES[precision])))

    def step():
        there.copy_(x, non_blocking=True)
        compute()
        answer.copy_(back, non_blocking=True)

    with torch.inference_mode():
        run = capture(step) if how == "graphs" else step

        def take():
            start = time.perf_counter_ns()
            run()
            if on_card:
                torch.cuda.synchronize(device)
            return time.perf_counter_ns() - start

        for _ in range(WARM_RUNS):
            take()
        worst = (answer.double() - reference(x.double()).double()).abs().max().item()
        if not worst <= TOLERANCES[precision]:
            refuse("wrong", "PyTorch: an answer is off by %g" % worst)
        serve(take)


if __name__ == "__main__":
    main()
