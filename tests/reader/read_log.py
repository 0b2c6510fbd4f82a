"""Reads a training log with TensorBoard's own reader and prints what is in it as JSON."""

import io
import json
import sys
import wave

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

log = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0, "audio": 0}).Reload()
tags = log.Tags()
found = {"scalars": {}, "images": {}, "audio": {}}
for tag in tags["scalars"]:
    found["scalars"][tag] = [[event.step, event.value] for event in log.Scalars(tag)]
for tag in tags["images"]:
    found["images"][tag] = [
        [event.step, event.width, event.height, event.encoded_image_string[:4].decode("latin-1")]
        for event in log.Images(tag)
    ]
for tag in tags["audio"]:
    sounds = []
    for event in log.Audio(tag):
        with wave.open(io.BytesIO(event.encoded_audio_string)) as sound:
            sounds.append([event.step, sound.getframerate(), sound.getnchannels(), sound.getnframes()])
    found["audio"][tag] = sounds
json.dump(found, sys.stdout)
