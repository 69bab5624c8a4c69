"""How much memory a training takes, computed from the shapes in its graph. `report.show` is the one door.

graphs.py builds a training without values; lifetimes.py follows its tensors; plan.py adds everything up.
"""
