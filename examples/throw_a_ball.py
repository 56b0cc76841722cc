"""Throw a ball, film it, and measure gravity from the film alone."""

import numpy as np

import cavendish as cv

clip = cv.data.Split(cv.scenes.Parabola(), region="train", seed=0)[17]
reader = cv.readout.Reader.of(cv.scenes.Parabola().draw(clip.trajectory))
seen = reader.read(clip.frames.numpy(), clip.trajectory.time)
inside = seen.position[:, 0, 1] > seen.radius[:, 0]
fall = np.polyfit(seen.time[inside], seen.position[inside, 0, 1], 2)
print(f"g = {-2 * fall[0]:.4f} m/s^2 from {inside.sum()} frames of {clip.frames.shape[1]} px; the truth is 2.5")
