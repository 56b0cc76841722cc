"""One loop for every model; optimisers, checkpoints, log."""

from cavendish.training.loop import Run, TrainingConfig, load_trained, seeded, train

__all__ = ["Run", "TrainingConfig", "load_trained", "seeded", "train"]
