"""Training: data, augmentation, recipes, loop, evaluation, export."""

from fer_core.import_order import before_tensorflow

# Keras is imported at the top of the training loop, whatever comes after it.
before_tensorflow()
