# fastapi_server.py: the tutorial's own design as a peer: FastAPI and uvicorn with a process for each core, each with
# the model, all accepting from one socket. Packages, in build/python or anywhere: fastapi, uvicorn, uvloop, httptools,
# numpy. argv: how many processes, the file of the model. Prints "serve: http://HOST:PORT", then a line for each that is ready.
import contextlib
import json
import os
import socket
import sys

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # a core for each process, as ours have
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "build", "python"))

import numpy
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from uvicorn.supervisors import Multiprocess

from layers import read_layers

OUTPUTS = 10


def load(path):
    """The layers, (weight turned, bias): a row times the first is a row."""
    layers = [[numpy.frombuffer(data, "<f4").reshape(shape) for shape, data in layer] for layer in read_layers(path)]
    return [(weight.T.copy(), bias) for weight, bias in layers]


def forward(x):
    for weight, bias in layers[:-1]:
        x = numpy.maximum(x @ weight + bias, 0)
    weight, bias = layers[-1]
    x = x @ weight + bias
    x = numpy.exp(x - x.max(axis=1, keepdims=True))
    return x / x.sum(axis=1, keepdims=True)


@contextlib.asynccontextmanager
async def lifespan(_):
    print("serve: one is ready", flush=True)
    yield


layers = load(os.environ["MODEL"]) if "MODEL" in os.environ else []
app = FastAPI(lifespan=lifespan)


# As the tutorial's readers write it: what comes is declared, and checked; what goes out is a dictionary.
class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Query(BaseModel):
    id: str
    inputs: list[Tensor]


@app.post("/v2/models/digits/infer")
def predict(query: Query):
    tensor = query.inputs[0]
    y = forward(numpy.array(tensor.data, numpy.float32).reshape(tensor.shape))
    output = {"name": "output", "datatype": "FP32", "shape": y.shape, "data": y.ravel().tolist()}
    return {"id": query.id, "model_name": "digits", "outputs": [output]}


# The same with bytes, which nobody has to declare: the fastest that FastAPI gives.
async def read(request):
    body = await request.body()
    length = int(request.headers["inference-header-content-length"])
    head = json.loads(body[:length])
    return head, numpy.frombuffer(body, numpy.float32, offset=length).reshape(head["inputs"][0]["shape"])


def answer(head, name, y, parameters):
    data = y.tobytes()
    output = {"name": "output", "datatype": "FP32", "shape": y.shape, "parameters": {"binary_data_size": len(data)}}
    text = json.dumps({"id": head["id"], "model_name": name, "parameters": parameters, "outputs": [output]}).encode()
    return Response(text + data, headers={"Inference-Header-Content-Length": str(len(text))},
                    media_type="application/octet-stream")


@app.post("/v2/models/bytes/infer")
async def predict_bytes(request: Request):
    head, x = await read(request)
    return answer(head, "bytes", forward(x), {})


# No model at all, as our echo device: what is left is the front.
@app.post("/v2/models/echo/infer")
async def echo(request: Request):
    head, x = await read(request)
    return answer(head, "echo", x[:, :OUTPUTS], {"simulated": True})


@app.get("/v2/models/{name}")
async def describe(name: str):
    def tensor(which, size):
        return {"name": which, "datatype": "FP32", "shape": [-1, size]}
    return {"name": name, "versions": ["1"], "platform": "fastapi", "inputs": [tensor("input", layers[0][0].shape[0])],
            "outputs": [tensor("output", OUTPUTS)]}


def main():
    workers, os.environ["MODEL"] = int(sys.argv[1]), sys.argv[2]
    with open(sys.argv[2], "rb"):
        pass  # that it is there is said here, and not by each process
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"serve: http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    sys.path.insert(0, os.path.dirname(__file__))
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    config = uvicorn.Config("fastapi_server:app", workers=workers, loop="uvloop", http="httptools",
                            log_level="warning", access_log=False,
                            timeout_worker_healthcheck=60)
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listening])
    else:
        Multiprocess(config, sockets=[listening]).run()


if __name__ == "__main__":
    main()
