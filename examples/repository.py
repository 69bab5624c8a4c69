"""Lets the programs of this folder import the modules of the repository, wherever they are started."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
