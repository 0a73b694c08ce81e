"""What symgd is measured beside: the same work as each library's user would write it.

`python -m benchmarks.peers TASK PEER ...` does it in a process of its own and prints JSON. No
module here imports symgd or a peer until that one is asked for: memory and imports are its own.
"""
