"""Everything that can happen to a connection, many times over, with an oracle that tells what came of it.

``python -m tests.torture`` plays every scenario and prints what was lost, doubled or hung; `scenarios` holds them, one
file each.
"""
