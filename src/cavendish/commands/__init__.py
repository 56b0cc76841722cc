"""One file per command of the command line: options in, one or two calls, lines out."""
