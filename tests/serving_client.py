"""What NVIDIA's own client, tritonclient.http, does to our server. Ends with 0, or with the first thing that differs.

usage: serving_client.py HOST:PORT, where a model "mlp" answers rows of 4 numbers by their own first 3 (device echo),
and a model "other" lies in the folder.
"""
import sys

import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

ROWS = numpy.arange(8, dtype=numpy.float32).reshape(2, 4) / 3


def row_input(rows, binary=True):
    tensor = triton.InferInput("x", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return [tensor]


def refused(call, *words):
    """The call must fail, with a message that has these words."""
    try:
        call()
    except InferenceServerException as error:
        text = str(error)
        assert all(word in text for word in words), text
        return
    raise AssertionError("not refused: %s" % (words,))


def check(result, rows=ROWS):
    answer = result.as_numpy("y")
    assert answer.dtype == numpy.float32 and answer.shape == (len(rows), 3), answer
    assert (answer == rows[:, :3]).all(), answer


def health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("mlp") and client.is_model_ready("mlp", "1")
    assert not client.is_model_ready("nothing")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("mlp")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}], metadata
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}], metadata
    config = client.get_model_config("mlp")
    assert config["max_batch_size"] > 0 and config["input"][0]["dims"] == [4], config
    refused(lambda: client.get_model_metadata("nothing"), "nothing")
    refused(lambda: client.get_model_metadata("mlp", "7"), "7")


def inference(client):
    check(client.infer("mlp", row_input(ROWS)))
    check(client.infer("mlp", row_input(ROWS, binary=False)))
    for binary in True, False:
        output = [triton.InferRequestedOutput("y", binary_data=binary)]
        check(client.infer("mlp", row_input(ROWS), outputs=output))
        check(client.infer("mlp", row_input(ROWS, binary=False), outputs=output))
    result = client.infer("mlp", row_input(ROWS), request_id="the-id", priority=1, timeout=60_000_000)
    assert result.get_response()["id"] == "the-id", result.get_response()
    assert "id" not in client.infer("mlp", row_input(ROWS)).get_response()
    check(client.infer("mlp", row_input(ROWS), model_version="1"))
    check(client.infer("mlp", row_input(ROWS[:0])), ROWS[:0])
    many = numpy.random.default_rng(7).random((50, 4), dtype=numpy.float32)
    check(client.infer("mlp", row_input(many)), many)
    best = client.infer("mlp", row_input(ROWS), outputs=[triton.InferRequestedOutput("y", class_count=2)])
    assert best.as_numpy("y").shape == (2, 2), best.as_numpy("y")
    for request in None, "gzip", "deflate":
        for response in None, "gzip", "deflate":
            for binary in True, False:
                check(client.infer("mlp", row_input(many, binary), request_compression_algorithm=request,
                                   response_compression_algorithm=response,
                                   outputs=[triton.InferRequestedOutput("y", binary_data=binary)]), many)


def refusals(client):
    refused(lambda: client.infer("nothing", row_input(ROWS)), "nothing")
    refused(lambda: client.infer("mlp", row_input(ROWS), model_version="3"), "3")
    refused(lambda: client.infer("mlp", row_input(ROWS[:, :3].copy())), "shape")
    wrong = triton.InferInput("z", [2, 4], "FP32")
    wrong.set_data_from_numpy(ROWS)
    refused(lambda: client.infer("mlp", [wrong]), "z")
    wrong = triton.InferInput("x", [2, 4], "INT32")
    wrong.set_data_from_numpy(ROWS.astype(numpy.int32))
    refused(lambda: client.infer("mlp", [wrong]), "FP32")
    refused(lambda: client.infer("mlp", row_input(ROWS), outputs=[triton.InferRequestedOutput("w")]), "w")
    refused(lambda: client.register_system_shared_memory("r", "/r", 8), "shared memory")
    check(client.infer("mlp", row_input(ROWS)))


def many_at_once(client):
    waiting = []
    for i in range(64):
        rows = numpy.full((1 + i % 3, 4), i, dtype=numpy.float32)
        waiting.append((rows, client.async_infer("mlp", row_input(rows), request_id=str(i))))
    for i, (rows, request) in enumerate(waiting):
        result = request.get_result()
        assert result.get_response()["id"] == str(i)
        check(result, rows)


def repository(client):
    states = {model["name"]: model["state"] for model in client.get_model_repository_index()}
    assert states["mlp"] == "READY" and states["other"] == "UNAVAILABLE", states
    client.load_model("other")
    assert client.is_model_ready("other")
    client.unload_model("other")
    assert not client.is_model_ready("other")
    refused(lambda: client.load_model("nothing"), "nothing")
    refused(lambda: client.load_model("other", config="{}"), "config")


def statistics(client):
    before = client.get_inference_statistics("mlp")["model_stats"][0]
    check(client.infer("mlp", row_input(ROWS)))
    after = client.get_inference_statistics("mlp")["model_stats"][0]
    assert after["inference_count"] == before["inference_count"] + 2
    assert after["inference_stats"]["success"]["count"] == before["inference_stats"]["success"]["count"] + 1
    assert client.get_inference_statistics()["model_stats"][0]["name"] == "mlp"
    assert client.get_system_shared_memory_status() == [] and client.get_cuda_shared_memory_status() == []
    client.unregister_system_shared_memory()
    client.unregister_cuda_shared_memory()


def main():
    client = triton.InferenceServerClient(sys.argv[1], concurrency=8)
    for step in health_and_metadata, inference, refusals, many_at_once, repository, statistics:
        print(step.__name__, flush=True)
        step(client)
    client.close()


main()
