# layers.py: reads a model of lab 13 for the peers: the layers of a safetensors file, in the order of the numbers in their names.
import json
import struct


def read_layers(path):
    """[(weight, bias)], each a shape and its float32 numbers as bytes, little-endian, row by row."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = (entry["shape"], data[begin:end])
    stems = {name.rsplit(".", 1)[0] for name in tensors}
    order = sorted(stems, key=lambda stem: int("".join(filter(str.isdigit, stem)) or 0))
    return [(tensors[stem + ".weight"], tensors[stem + ".bias"]) for stem in order]
