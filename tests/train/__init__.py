"""Tests of training. Some import Keras at their top, which must not come before what keeps it alive beside PyTorch."""

from fer_core.import_order import before_tensorflow

before_tensorflow()
