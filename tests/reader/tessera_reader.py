#!/usr/bin/env python3
"""A second reader of .inr files, written from docs/format.md alone: checks everything, decodes with numpy.

    python3 tessera_reader.py FILE OUT.npy     field values [axes..., channels], NaN where cropped
    python3 tessera_reader.py FILE             only checks, prints what the file holds
"""
import hashlib
import math
import struct
import sys

import numpy as np

SHARED = 0xFFFFFFFF
Malformed, Unsupported, LimitExceeded = (type(n, (Exception,), {}) for n in "Malformed Unsupported LimitExceeded".split())


def need(condition, reason):
    if not condition:
        raise Malformed(reason)


def within(quantity, found, limit):
    if found > limit:
        raise LimitExceeded(f"{quantity}: {found} > {limit}")


def choice(value, names, what):
    if value >= len(names):
        raise Unsupported(f"{what} {value}")
    return names[value]


CRC_TABLE = list(range(256))
for _ in range(8):
    CRC_TABLE = [n >> 1 ^ (0x82F63B78 if n & 1 else 0) for n in CRC_TABLE]


def crc(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ CRC_TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


class Cursor:
    """The unread rest of one part."""

    def __init__(self, data, part):
        self.data, self.at, self.part = data, 0, part

    def take(self, count):
        need(count <= len(self.data) - self.at, f"{self.part} ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def unpack(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def leb(self):
        value = 0
        for shift in range(0, 63, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                need(byte or not shift, f"{self.part}: a number is not in its shortest form")
                return value
        raise Malformed(f"{self.part}: a number has more than 63 bits")

    def varint(self, bits=32):
        value, least = self.take(1)[0], 0
        if value >= 251:
            need(value < 254, f"{self.part}: not a number")
            form, least = [("H", 251), ("I", 1 << 16), ("Q", 1 << 32)][value - 251]
            value = self.unpack(form)
        need(least <= value < 1 << bits, f"{self.part}: a number is not in its shortest form or too large")
        return value

    def numbers(self):
        count = self.varint(64)
        need(count <= 4, f"{self.part}: too many axes")
        return [self.varint() for _ in range(count)]

    def text(self, limit):
        length = self.varint(64)
        need(length <= len(self.data) - self.at, f"{self.part} ends too early")
        within("bytes of a text", length, limit)
        text = self.take(length).decode("utf-8", "replace")
        need(text.encode("utf-8") == self.data[self.at - length:self.at], f"{self.part}: a text is not UTF-8")
        return text


def encoded_inputs(h):
    """How many numbers the first layer gets; checks the encoding."""
    (name, scale, count, seed), axes = h["encoding"], len(h["shape"])
    if name == "mlp":
        need(scale == count == seed == 0 and math.copysign(1, scale) > 0, "header: numbers without an encoding")
        return axes
    if name == "latents":
        need(scale == 0 and 0 < count and math.copysign(1, scale) > 0, "header: levels")
        within("levels of latents", max(count, seed), 16)
        return count + 2 * axes * min(count, 3)
    size = {"nerf": axes + 2 * axes * count, "positional": 2 * axes * count, "gauss": 2 * count}[name]
    within("encoded inputs", size, 4096)
    need(0 < scale <= 4096 and count > 0 and (name == "gauss" or seed == 0), "header: encoding")
    need(name != "nerf" or (count - 1) * math.log2(scale) <= 17, "header: the highest frequency of the encoding")
    return size


def normals(seed):
    """Standard normal numbers: Box and Muller's pairs from SplitMix64."""
    mask = (1 << 64) - 1

    def word():
        nonlocal seed
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ seed >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        return z ^ z >> 31

    while True:
        first, second = ((word() >> 11) + 1) / 2**53, (word() >> 11) / 2**53
        radius = math.sqrt(-2 * math.log(first))
        yield radius * math.cos(2 * math.pi * second)
        yield radius * math.sin(2 * math.pi * second)


def encode(h, x):
    """What the first layer gets for coordinates [..., axes]."""
    name, scale, count, seed = h["encoding"]
    wide, axes = x.astype(np.float64), x.shape[-1]
    if name == "mlp":
        return x
    if name == "gauss":
        numbers = normals(seed)
        b = np.array([[next(numbers) for _ in range(axes)] for _ in range(count)])
        angles = 2 * np.pi * scale * (wide @ b.T)
        return np.concatenate([np.sin(angles), np.cos(angles)], -1).astype(np.float32)
    steps = np.arange(count) / (1 if name == "nerf" else count)
    angles = (np.pi if name == "nerf" else 2 * np.pi) * scale ** steps[:, None] * wide[..., None, :]
    flat = x.shape[:-1] + (-1,)
    if name == "nerf":
        return np.concatenate([x, np.stack([np.sin(angles), np.cos(angles)], -1).reshape(flat)], -1, dtype=np.float32)
    return np.concatenate([np.sin(angles).reshape(flat), np.cos(angles).reshape(flat)], -1).astype(np.float32)


def read_header(data, minor):
    c, h = Cursor(data, "header"), {}
    h["kind"] = choice(c.unpack("B"), ["picture", "sound", "video", "shape"], "kind")
    h["shape"], h["channels"] = c.numbers(), c.varint()
    h["format"] = choice(c.unpack("B"), ["u8", "u16", "f32"], "sample format")
    h["colour"] = choice(c.unpack("B"), ["none", "srgb", "unknown", "linear", "distance"], "colour")
    h["alpha"] = c.unpack("B")
    need(h["alpha"] < 2, "header: alpha is neither 0 nor 1")
    h["rate"], h["amplitude"] = (c.varint(), c.varint()), c.unpack("f")
    choice(c.unpack("B"), [0], "grid rule")
    h["factors"], h["low"], h["high"] = c.numbers(), c.unpack("f"), c.unpack("f")
    model = c.unpack("B")
    h["model"] = choice(model, ["siren", "per-partition", "local-global", "siren", "per-partition", "latents"], "model")
    h["h"], h["w"], h["g"] = c.varint(), c.varint(), c.varint()
    h["first_omega"], h["hidden_omega"], macs = c.unpack("f"), c.unpack("f"), c.varint(64)
    h["program"], h["preset"] = c.text(256), c.text(256)
    h["seed"], h["steps"], rate, fraction = c.varint(64), c.varint(64), c.unpack("d"), c.unpack("d")
    tag = c.unpack("B")
    need(tag < 2, "header: the PSNR is neither there nor absent")
    psnr = c.unpack("d") if tag else 0.0
    h["configuration"] = c.text(1 << 16)
    h["placement"], runs = None, []
    if minor > 0:
        tag = c.unpack("B")
        need(tag < 2, "header: the placement is neither there nor absent")
        if tag:
            h["placement"] = [c.unpack("d") for _ in range(4)]
            need(all(map(math.isfinite, h["placement"])) and h["placement"][3] > 0, "header: placement")
        count = c.varint(64)
        need(count <= (len(data) - c.at) // 2, "header: more runs than bytes")
        runs = [(c.varint(), c.varint()) for _ in range(count)]
    h["blend"] = c.numbers() if minor > 1 else []
    h["empty"], end = [], 0
    for place, (gap, length) in enumerate(runs):
        need(length > 0 and (gap > 0 or place == 0), "header: a run of empty partitions")
        need(end + gap + length <= math.prod(h["factors"]), "header: empty partitions beyond the grid")
        h["empty"] += range(end + gap, end + gap + length)
        end += gap + length
    h["encoding"], h["relu"] = ("mlp", 0.0, 0, 0), False
    if minor > 1:
        tag = c.unpack("B")
        need(tag < 2, "header: the encoding is neither there nor absent")
        if tag:
            name = choice(c.unpack("B"), ["mlp", "nerf", "positional", "gauss", "latents"], "encoding")
            h["encoding"] = (name, c.unpack("f"), c.varint(), c.varint(64))
            h["relu"] = choice(c.unpack("B"), [False, True, "leaky"], "activation")
    encoded = bool(h["relu"]) or h["encoding"][0] != "mlp"
    need(minor != 1 or h["placement"] or h["empty"], "header: the version should be 1.0")
    latents = model == 5
    need(latents == (h["encoding"][0] == "latents") == (h["relu"] == "leaky"), "header: latents")
    need(minor != 2 or (encoded and not latents) or h["blend"], "header: the version should be lower")
    need(minor != 3 or latents, "header: the version should be lower")
    need(encoded == (model > 2) and not (encoded and minor < 2 + latents), "header: model and encoding contradict each other")
    need(h["kind"] == "shape" or not (h["placement"] or h["empty"]), "header: only shapes have these fields")
    need(h["colour"] != "distance" or h["kind"] == "shape" and h["channels"] == 1, "header: a distance of no shape")
    need(c.at == len(data) or minor > 3, "header: bytes follow its last field")
    shape, factors, channels = h["shape"], h["factors"], h["channels"]
    coloured = h["kind"] in ("picture", "video")
    need(len(shape) == len(factors) == {"sound": 1, "picture": 2}.get(h["kind"], 3), "header: wrong number of axes")
    need(all(0 < f <= n for f, n in zip(factors, shape)), "header: factors do not fit the shape")
    if h["blend"]:
        need(len(h["blend"]) == len(shape) and any(h["blend"]), "header: blend")
        most = [n // f // 2 if f > 1 else 0 for n, f in zip(shape, factors)]
        need(all(b <= m for b, m in zip(h["blend"], most)), "header: blend beyond half a partition")
    need(channels > 0 and h["rate"][1] > 0 and h["w"] > 0, "header: a number must not be zero")
    need(not coloured or channels <= 4, "header: a picture has at most 4 channels")
    need(not h["alpha"] or coloured and channels in (2, 4), "header: opacity without a channel for it")
    need(0 < h["amplitude"] < math.inf and -1e4 <= h["low"] < h["high"] <= 1e4, "header: amplitude or range")
    need(all(0 < o <= 1e4 for o in (h["first_omega"], h["hidden_omega"])), "header: omega")
    need((h["model"] in ("local-global", "latents")) == (h["g"] > 0), "header: global width does not suit the model")
    need(h["model"] != "siren" or math.prod(factors) == 1, "header: a siren has one partition")
    need(0 <= rate < math.inf and 0 <= fraction <= 1 and psnr == psnr, "header: training facts")
    for what, found, limit in [
        ("samples of an axis", max(shape), 1 << 24), ("samples", math.prod(shape), 1 << 40), ("channels", channels, 16),
        ("partitions", math.prod(factors), 1 << 20), ("hidden layers", h["h"], 16), ("multiply-adds", macs, 1 << 24),
        ("width", max(h["w"], h["g"]), 4096)]:
        within(what, found, limit)
    d, w, g, o, n = encoded_inputs(h), h["w"], h["g"], channels, h["h"]
    cost = d * w + n * w * w + w * o + (d * g + n * g * g + (n + 1) * (w + g) * w if g else 0)
    h["local"] = [(d, w)] + [(w, w)] * n + [(w, o)]
    h["global"] = [(d, g)] + [(g, g)] * n + [(w + g, w)] if g else []
    if latents:
        need(w == h["encoding"][2], "header: levels")
        cost = d * (4 ** (len(shape) + 1) - 4) // 3 + d * g + n * g * g + (d + g) * o
        h["global"] = h["global"][:-1] + [(d + g, o)]
        largest = [-(-size // f) for size, f in zip(shape, factors)]
        finest = h["encoding"][3]
        h["levels"] = [(k, [max(1, -(-s // 2 ** k)) for s in largest]) for k in range(finest + w - 1, finest - 1, -1)]
        need(cost == macs, "header: multiply-adds")
        h["P"], h["S"] = sum(math.prod(nodes) for _, nodes in h["levels"]), sum(i * j + j for i, j in h["global"])
        return h
    need(cost == macs, "header: multiply-adds")
    h["P"], h["S"] = (sum(i * j + j for i, j in layers) for layers in (h["local"], h["global"]))
    return h


def read_index(data, h, after):
    """[(partition or 0xFFFFFFFF, coding, payload length)], the global chunk first; `after` bytes follow the index."""
    c = Cursor(data, "index")
    shared = c.leb()
    chunks = [(SHARED, c.leb() if shared else 0, shared)]
    runs, total, end = [], math.prod(h["factors"]), 0
    run_count = c.leb()
    need(run_count > 0, "index: no partition is present")
    for run in range(run_count):
        gap, length = c.leb(), c.leb()
        need(length > 0 and (gap > 0 or run == 0), "index: a run is empty or touches the one before")
        runs.append((end + gap, end + gap + length))
        end += gap + length
        need(end <= total, "index: partitions beyond the grid")
    present = sum(last - first for first, last in runs)
    need(5 * present <= after, "index: more partitions than bytes")
    within("parameters", h["S"] + present * h["P"], 1 << 30)
    partitions = [p for first, last in runs for p in range(first, last)]
    need(not set(partitions) & set(h["empty"]), "index: an empty partition is present")
    previous, done = None, 0
    while done < present:
        size, coding, common = c.leb(), c.leb(), c.leb()
        need(0 < size <= present - done and coding != previous, "index: groups")
        lengths = [common] * size if common else [c.leb() for _ in range(size)]
        need(common or len(set(lengths)) > 1, "index: equal lengths one by one")
        chunks += [(p, coding, n) for p, n in zip(partitions[done:done + size], lengths)]
        previous, done = coding, done + size
    need(c.at == len(data), "index: bytes follow its last entry")
    for partition, coding, length in chunks:
        weights = h["S"] if partition == SHARED else h["P"]
        need((weights == 0) == (length == 0) or length and coding == 3, "index: an empty chunk")
        if length and coding > 3:
            raise Unsupported(f"coding {coding}")
        if coding == 3:
            counted = max(0, weights - (1 << 20)) if partition == SHARED else weights
            need(length >= max(1, -(-counted // 128)), "index: a chunk is too short for its network")
        else:
            need(length == weights * (2 if coding else 4), "index: a chunk's length does not fit its network")
        need((coding == 3) == (chunks[0][1] == 3), "index: only some chunks are quantised")
    need(sum(n + 4 for _, _, n in chunks if n) == after, "index: the chunks do not end where the file does")
    return chunks


def weights_of(payload, coding):
    values = np.frombuffer(payload, ["<f4", "<f2", "<u2"][coding])
    values = (values.astype(np.uint32) << 16).view(np.float32) if coding == 2 else values.astype(np.float32)
    need(bool(np.all(np.abs(values) <= 1e6)), "a weight is not finite or too large")
    return values


class RangeDecoder:
    """Section 7.1; `at` counts bytes that were read, also behind the end."""

    def __init__(self, data):
        self.data, self.at, self.range, self.code = data, 4, (1 << 32) - 1, int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def symbol(self, frequencies):
        unit, low, s = self.range // sum(frequencies), 0, 0
        while s + 1 < len(frequencies) and unit * (low + frequencies[s]) <= self.code:
            low, s = low + frequencies[s], s + 1
        self.narrow(unit * low, unit * frequencies[s])
        return s

    def bits(self, count):
        unit = self.range >> count
        value = min(self.code // unit, (1 << count) - 1)
        self.narrow(unit * value, unit)
        return value

    def narrow(self, low, size):
        self.code, self.range = self.code - low, size
        while self.range < 1 << 24:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.code, self.range, self.at = (self.code << 8 | byte) & 0xFFFFFFFF, self.range << 8, self.at + 1

    def number(self, frequencies, adaptive):
        c = self.symbol(frequencies)
        value = 0
        if c:
            bits = max(0, c // 2 - 1)
            raw = self.bits(bits + 1)
            value = (c if c < 4 else (2 | c & 1) << bits) + (raw >> 1)
            value = -value if raw & 1 else value
        if adaptive:
            frequencies[c] += 24
            if sum(frequencies) > 32744:
                frequencies[:] = [-(-f // 2) for f in frequencies]
        return value


EIGHTHS = 65536, 60097, 55109, 50535, 46341, 42495, 38968, 35734


def table(c):
    size = c.unpack("B")
    need(2 <= size <= 30, "codebook: a table's size")
    shares = [EIGHTHS[v % 8] << 16 >> v // 8 for v in c.take(size)]
    total = max(1, sum(shares))
    parts = [share * (32768 - size) // total + 1 for share in shares]
    parts[parts.index(max(parts))] += 32768 - sum(parts)
    return parts


def drawn(h, first, layers, starts):
    """Start weights of one network from word `first` on; `starts` says whether its first layer is a first one."""
    count = sum(i * j + j for i, j in layers)
    with np.errstate(over="ignore"):
        z = np.uint64(h["seed"]) + np.arange(first + 1, first + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    unit = ((z ^ (z >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24) * np.float32(2) - np.float32(1)
    f32, at = np.float32, 0
    for depth, (i, j) in enumerate(layers):
        bound = f32(1) / f32(i) if depth == 0 and starts else np.sqrt(f32(6) / f32(i)) / f32(h["hidden_omega"])
        unit[at:at + i * j] *= bound
        unit[at + i * j:at + i * j + j] *= f32(1) / np.sqrt(f32(i))
        at += i * j + j
    return unit


def centred(h, partition, weights):
    f32, d, w = np.float32, len(h["shape"]), h["w"]
    biases = weights[d * w:d * w + w]
    for axis, (own, n, c) in enumerate(zip(slices_of(h, partition), h["shape"], h["factors"])):
        step = (h["high"] - h["low"]) / (n - 1) if n > 1 else 0.0
        x = f32((own.start + own.stop - 1) / 2 * step + h["low"])
        s, row = max(f32(c) / f32(2), f32(1)), weights[axis * w:(axis + 1) * w]
        biases += row * (f32(1) - s) * x
        row *= s
    turn = f32(2 * math.pi) / f32(h["first_omega"])
    turns = biases / turn
    biases -= turn * (np.sign(turns) * np.floor(np.abs(turns) + f32(0.5)))
    return weights


RATIOS = [
    615264366, 750644012, 887287062, 1021265264, 1149465165, 1269643942, 1380374753, 1480928916, 1571132600, 1651223669,
    1721723616, 1783331330, 1836840104, 1883076161, 1922855510, 1956955510, 1986097703, 2010938901, 2032068100, 2050007307,
    2065214841, 2078090086, 2088978941, 2098179489, 2105947554, 2112501948, 2118029300, 2122688424, 2126614195, 2129920982,
    2132705626, 2135050041, 2137023446, 2138684287, 2140081881, 2141257820, 2142247163, 2143079451, 2143779570, 2144368475,
    2144863807, 2145280419, 2145630810, 2145925496, 2146173328, 2146381751, 2146557029, 2146704431,
]
FROM = [
    4, 5, 5, 6, 7, 9, 10, 12, 14, 17, 20, 24, 28, 34, 40, 47, 56, 67, 79, 94,
    112, 133, 158, 188, 224, 266, 316, 376, 447, 532, 632, 752, 894, 1063, 1264, 1503, 1787, 2125, 2527, 3005,
    3574, 4250, 5054, 6010, 7147, 8499, 10108,
]
NEIGHBOURS = (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2)


def laplace_tables():
    """Section 7.2: for every scale (up, down) by r + 8, then on and p."""
    product = lambda a, b: (a * b + (1 << 30)) >> 31
    clamped = lambda share: min(max(share >> 16, 1), 32766)
    for scale, ratio in enumerate(RATIOS):
        powers = [1 << 31]
        for _ in range(16):
            powers.append(product(powers[-1], ratio))
        p, on = max(0, scale // 4 - 6), powers[16]
        for _ in range(p):
            on = product(on, on)
        yield [(clamped(powers[8 - r] >> 1), clamped(powers[8 + r] >> 1)) for r in range(-8, 9)], clamped(on), p


LAPLACE = list(laplace_tables())


def laplace(decoder, scale, c=0, r=0):
    sides, on, p = LAPLACE[scale]
    up, down = sides[r + 8]
    side = decoder.symbol([32768 - up - down, up, down])
    if not side:
        return c
    units = 0
    while units < 20 and decoder.symbol([32768 - on, on]):
        units += 1
    if units == 20:
        octave = decoder.bits(4)
        units += (1 << octave) + decoder.bits(octave) - 1
    m = (units << p) + decoder.bits(p) + 1
    return c + m if side == 1 else c - m


def level_numbers(decoder, context, nodes, coarser):
    """Numbers [planes, rows, columns] of a level; `coarser` are those of the level before, or None."""
    weights, shares, shifts = context
    rows, columns = ([1, 1] + list(nodes))[-2:]
    found = np.zeros((math.prod(nodes) // (rows * columns), rows, columns), np.int64)
    for i, j, k in np.ndindex(found.shape):
        near = []
        for down, right in NEIGHBOURS:
            y, x = j + down, k + right
            near.append(int(found[i, y, x]) if y >= 0 and 0 <= x < columns else 0)
        s = weights[0] + sum(weight * abs(value) for weight, value in zip(weights[1:9], near))
        if coarser is not None:
            plane = np.abs(coarser[min(i // 2, coarser.shape[0] - 1)])
            y, x = min(j // 2, plane.shape[0] - 1), min(k // 2, plane.shape[1] - 1)
            beside = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            total = sum(int(plane[a, b]) for a, b in beside if 0 <= a < plane.shape[0] and 0 <= b < plane.shape[1])
            s += weights[9] * int(plane[y, x]) + (weights[10] * total >> 2)
        centre = sum(share * value for share, value in zip(shares, near))
        scale = sum(entry <= s for entry in FROM)
        c = (centre + 32) >> 6
        number = laplace(decoder, min(max(scale + shifts[scale], 0), 47), c, (centre - 64 * c + 2) >> 2)
        need(abs(number) <= 32767, "a latent is too large")
        found[i, j, k] = number
    return found


def latents(h, payloads, c, shared_steps, steps):
    """Weights of a file whose codebook goes on with the scales of section 7.2."""
    scales = [c.unpack("B") if step > 0 else None for step in shared_steps]
    need(all(scale is None or scale < 48 for scale in scales), "codebook: a scale")
    decoder, contexts = RangeDecoder(c.take(c.unpack("H"))), []
    tables = [[1] * 30 for _ in range(3)]
    for step in steps:
        counts = (11, 6, 48) if step > 0 else ()
        contexts.append([[decoder.number(t, True) for _ in range(n)] for t, n in zip(tables, counts)])
    decoder, parts, sizes = RangeDecoder(payloads[SHARED][c.at:]), [], [n for i, j in h["global"] for n in (i * j, j)]
    for size, step, scale in zip(sizes, shared_steps, scales):
        numbers = [0 if scale is None else laplace(decoder, scale) for _ in range(size)]
        parts.append(np.array(numbers, np.float32) * step)
    found = {SHARED: np.concatenate(parts)}
    for partition, payload in payloads.items():
        if partition == SHARED:
            continue
        decoder, coarser, parts = RangeDecoder(payload), None, []
        for (_, nodes), step, context in zip(h["levels"], steps, contexts):
            if context:
                coarser = level_numbers(decoder, context, nodes, coarser)
            else:
                rows, columns = ([1, 1] + list(nodes))[-2:]
                coarser = np.zeros((math.prod(nodes) // (rows * columns), rows, columns), np.int64)
            parts.append(coarser.ravel().astype(np.float32) * step)
        found[partition] = np.concatenate(parts)
    return found


def quantised(h, payloads):
    c = Cursor(payloads[SHARED], "codebook")
    rule, coder, classes = choice(c.unpack("B"), [0, 1, 2], "start rule"), choice(c.unpack("B"), [0, 1, 2, 3], "coder"), c.unpack("B")
    need(1 <= classes <= 16, "codebook: classes of partitions")
    need(rule == 0 or h["encoding"][0] == "mlp" and not h["relu"], "codebook: start rule behind an encoding")

    def steps(layers, size=4):
        values = (np.frombuffer(c.take(size * len(layers)), "<u2").astype(np.uint32) << 16).view(np.float32)
        need(bool(np.all(np.isfinite(values)) and not np.any(np.signbit(values))), "codebook: a step")
        return values

    if coder == 3:
        need(classes == 1 and h["model"] == "latents", "codebook: contexts without latents")
        shared_steps = steps(h["global"])
        return latents(h, payloads, c, shared_steps, steps([0] * len(h["levels"]), 2))
    networks = [(h["global"], steps(h["global"]))] + [(h["local"], steps(h["local"])) for _ in range(classes)]
    pooled = table(c) if coder == 0 else None
    tables = [[None if step == 0 else pooled or (table(c) if coder == 1 else "counted") for step in own] for _, own in networks]

    def weights(kind, payload, whole, start, least):
        layers, own = networks[kind]
        decoder, parts = RangeDecoder(payload), []
        sizes = [size for i, j in layers for size in (i * j, j)]
        for size, step, frequencies in zip(sizes, own, tables[kind]):
            if frequencies is None:
                parts.append(np.zeros(size, np.float32))
                continue
            counted = frequencies == "counted"
            frequencies = [1] * 30 if counted else frequencies
            numbers = [decoder.number(frequencies, counted) for _ in range(size)]
            parts.append(np.array(numbers, np.float32) * step)
        rest = payload[decoder.at:]
        need(decoder.at - len(payload) <= 4 and not any(rest), "a chunk's end")
        need(not rest or whole == least, "bytes behind the numbers")
        values = start + np.concatenate(parts) if parts else start
        need(bool(np.all(np.abs(values) <= 1e6)), "a weight is not finite or too large")
        return values.astype(np.float32)

    start = np.zeros(h["S"], np.float32) if rule == 0 else drawn(h, 0, h["global"], True)
    if rule == 2 and h["global"]:
        w, at = h["w"], h["S"] - (h["w"] + h["g"]) * h["w"] - h["w"]
        start[at:at + w * w] = (np.eye(w, dtype=np.float32) * (np.float32(1) / np.float32(h["hidden_omega"]))).ravel()
        start[-w:] = 0
    head, found = c.at, {}
    least = lambda count: max(1, -(-count // 128))
    found[SHARED] = weights(0, payloads[SHARED][head:], len(payloads[SHARED]), start, least(max(0, h["S"] - (1 << 20))))
    for partition, payload in payloads.items():
        if partition == SHARED:
            continue
        start = np.zeros(h["P"], np.float32) if rule == 0 else drawn(h, h["S"] + partition * h["P"], h["local"], True)
        start = centred(h, partition, start) if rule == 2 else start
        kind = payload[0] if classes > 1 else 0
        need(kind < classes, "a class that is not there")
        found[partition] = weights(kind + 1, payload[1:] if classes > 1 else payload, len(payload), start, least(h["P"]))
    return found


def read(data):
    """(header facts, {partition: weights}); the shared weights have the key 0xFFFFFFFF."""
    c = Cursor(data, "prelude")
    need(c.take(8) == b"\x89INR\r\n\x1a\n", "this is no .inr file")
    major, minor = c.unpack("H"), c.unpack("H")
    if major > 1:
        raise Unsupported(f"version {major}.{minor}")
    need(major == 1, "there is no version 0")
    features, header_bytes, index_bytes, file_id = c.unpack("I"), c.unpack("I"), c.unpack("I"), c.take(16)
    header_crc, index_crc, prelude_crc = c.unpack("I"), c.unpack("I"), c.unpack("I")
    need(crc(data[:48]) == prelude_crc, "prelude: checksum")
    choice(features, [0], "feature bits")
    within("bytes of the head", 52 + header_bytes + index_bytes, 1 << 20)
    header, index = c.take(header_bytes), c.take(index_bytes)
    need(crc(file_id + header) == header_crc, "header: checksum")
    need(crc(file_id + index) == index_crc, "index: checksum")
    h = read_header(header, minor)
    chunks = read_index(index, h, len(data) - c.at)
    digest, found = hashlib.sha256(header), {}
    for partition, coding, length in chunks:
        payload = c.take(length)
        number = struct.pack("<I", partition)
        need(not length or crc(file_id + number + payload) == c.unpack("I"), f"chunk {partition}: checksum")
        digest.update(number + struct.pack("<HQ", coding, length) + payload)
        found[partition] = payload if coding == 3 else weights_of(payload, coding)
    if chunks[0][1] == 3:
        found = quantised(h, found)
    whole = len(found) - 1 + len(h["empty"]) == math.prod(h["factors"])
    need(not whole or digest.digest()[:16] == file_id, "the file id is not the digest of the contents")
    return h, found


def apply(layers, weights):
    """The functions x -> x W + b of consecutive layers."""
    for inputs, outputs in layers:
        w, b, weights = np.split(weights, [inputs * outputs, inputs * outputs + outputs])
        yield lambda x, w=w.reshape(inputs, outputs), b=b: x @ w + b


def slices_of(h, partition):
    """Where the samples of a partition lie."""
    slices = []
    for index, n, f in zip(np.unravel_index(partition, h["factors"]), h["shape"], h["factors"]):
        start = index * (n // f) + min(index, n % f)
        slices.append(slice(start, start + n // f + (index < n % f)))
    return tuple(slices)


def reach(h, own):
    """Where a partition with these slices counts, and how much along each axis: 1 inside, less near a border."""
    slices, weights = [], []
    for axis, (range_, n) in enumerate(zip(own, h["shape"])):
        b = h["blend"][axis] if h["blend"] else 0
        part = slice(max(range_.start - b, 0), min(range_.stop + b, n))
        at = np.arange(part.start, part.stop)
        weight = np.ones(len(at))
        for edge, inward in [(range_.start, 1), (range_.stop, -1)]:
            if b and 0 < edge < n:
                depth = (at - (edge - 0.5)) * inward  # into the partition, negative beyond the border
                share = np.clip(0.5 - 0.5 * np.abs(depth) / b, 0, None)
                weight = np.where(depth > 0, np.minimum(weight, 1 - share), share)
        slices.append(part)
        weights.append(weight)
    product = weights[0]
    for weight in weights[1:]:
        product = np.multiply.outer(product, weight)
    return tuple(slices), product[..., None]


def spline(t, order):
    """Shares of the four nodes around a position that is `t` of the way between the middle two."""
    u, inner = 1 - t, lambda x: (4 - 6 * x ** 2 + 3 * x ** 3) / 6
    shares = [(u ** 3 / 6, inner(t), inner(u), t ** 3 / 6),
              (-u ** 2 / 2, 1.5 * t ** 2 - 2 * t, 2 * u - 1.5 * u ** 2, t ** 2 / 2),
              (u, 3 * t - 2, 3 * u - 2, t)]
    return np.stack(shares[order]).astype(np.float32)


def seen(h, own, weights, axes):
    """The inputs of the synthesis network at positions `axes` (a list for each axis), asked of the partition `own`."""
    values, derivatives, at = [], [], 0
    for level, (k, nodes) in enumerate(h["levels"]):
        grid = weights[at:at + math.prod(nodes)].reshape(nodes)
        at += math.prod(nodes)
        of_axes = []
        for range_, places in zip(own, axes):
            last = max(1, -(-(range_.stop - range_.start) // 2 ** k)) - 1
            t = np.clip((places - range_.start + 0.5) / 2 ** k - 0.5, -1, last + 1)
            first = np.floor(t)
            of_axes.append((np.clip(first + np.arange(-1, 3)[:, None], 0, last).astype(int), (t - first).astype(np.float32).astype(float)))

        def derivative(along, order):
            found = grid
            for axis, (four, t) in enumerate(of_axes):
                shares = spline(t, order if axis == along else 0)
                shape = [-1 if a == axis else 1 for a in range(len(nodes))]
                found = sum(np.take(found, index, axis) * share.reshape(shape) for index, share in zip(four, shares))
            return found

        values.append(derivative(0, 0))
        if level >= len(h["levels"]) - 3:
            derivatives += [derivative(axis, order) for axis in range(len(nodes)) for order in (1, 2)]
    return np.stack(values + derivatives, -1)


def decode(h, found):
    shape = h["shape"] + [h["channels"]]
    sums, weights, absent = np.zeros(shape), np.zeros(h["shape"] + [1]), np.ones(h["shape"], bool)
    shared = list(apply(h["global"], found[SHARED]))
    for partition in sorted(found.keys() - {SHARED}):
        own, axes = slices_of(h, partition), []
        absent[own] = False
        slices, weight = reach(h, own)
        for own, n in zip(slices, h["shape"]):
            step = (h["high"] - h["low"]) / (n - 1) if n > 1 else 0.0
            axes.append((np.arange(own.start, own.stop, dtype=np.float64) * step + h["low"]).astype(np.float32))
        if h["model"] == "latents":
            z = seen(h, slices_of(h, partition), found[partition], [np.arange(s.start, s.stop, dtype=np.float64) for s in slices])
            v = z
            for layer in shared[:-1]:
                v = layer(v)
                v = np.maximum(v, np.float32(0.1) * v)
            sums[slices] += weight * shared[-1](np.concatenate([z, v], -1))
            weights[slices] += weight
            continue
        x = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        local = list(apply(h["local"], found[partition]))
        u = v = encode(h, x)
        for depth, layer in enumerate(local[:-1]):
            omega = np.float32(h["first_omega"] if depth == 0 else h["hidden_omega"])
            u = np.maximum(layer(u), 0) if h["relu"] else np.sin(omega * layer(u))
            if shared:
                v = np.sin(omega * shared[depth](v))
                u = np.sin(np.float32(h["hidden_omega"]) * shared[-1](np.concatenate([u, v], -1)))
        sums[slices] += weight * local[-1](u)
        weights[slices] += weight
    out = (sums / np.where(weights > 0, weights, 1)).astype(np.float32)
    out[absent] = np.nan
    for partition in h["empty"]:
        out[slices_of(h, partition)] = 1.0 if h["colour"] == "distance" else 0.0
    return out


if __name__ == "__main__":
    facts, networks = read(np.fromfile(sys.argv[1], np.uint8).tobytes())
    if len(sys.argv) > 2:
        np.save(sys.argv[2], decode(facts, networks))
    else:
        print(facts, f"{len(networks) - 1} partitions present")
