"""Other people's metrics, as formulas under their own names, for comparison with printed numbers.

None of them tells a wrong law from a wrong start (see `tests/test_peers.py`); the scorecard does.
"""
