"""The front door: `cavendish COMMAND ...`. Commands live in `commands`; nothing is decided here.

Each command is imported only when it is called, so that `cavendish scenes` never waits for torch.
Every error of ours becomes one line on standard error and its documented exit code (see `errors`).
"""

import importlib
import os
import sys

from cavendish.errors import INTERRUPTED, CavendishError, unknown

COMMANDS = {
    "run": "the main job: learn, imagine, read, measure, report (--study NAME, --out DIR)",
    "scenes": "every scene with its law, factors, units and regions (--json)",
    "render": "film true clips of a scene: videos, states.npz and a contact sheet",
    "export": "a data set for other tools: phyworld, mp4, png, webdataset, lerobot, parquet",
    "study": "a whole experiment: NAME --preset quick|laptop|h100|paper",
    "train": "only the learning of a study",
    "imagine": "let a trained model continue true beginnings, or answer a caption, an image or a clip",
    "measure": "weigh anybody's videos, with or without their true states",
    "report": "write the page of one or several runs; check a result card; make a key",
    "tensorboard": "copy a run's training log to TensorBoard event files",
    "play": "a page in the browser on which you play a learnt world (RUN), or a true one (--scene)",
    "plan": "parameters, tokens, FLOPs, memory and time of a study on this machine",
}


def main() -> None:
    """Run the command named on the command line."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_help())
        return 0
    try:
        if arguments[0] not in COMMANDS:
            raise unknown("command", arguments[0], COMMANDS)
        module = importlib.import_module(f"cavendish.commands.{arguments[0]}")
        module.main(arguments[1:])
    except CavendishError as error:
        sys.stderr.write(f"cavendish: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("cavendish: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _help() -> str:
    lines = [f"  {name:<13}{text}" for name, text in COMMANDS.items()]
    return "Cavendish weighs world models.\n\nusage: cavendish COMMAND [--help]\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":  # as `torchrun -m cavendish.cli` calls it
    main()
