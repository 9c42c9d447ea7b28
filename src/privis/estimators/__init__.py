"""Features as scikit-learn's transformers, and estimators of tasks: faces and documents."""

import lazy_loader

from privis.former_names import former_names

# only scikit-learn's transformer needs scikit-learn
_present, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"transformer": ["FeatureExtractor"]})

__getattr__ = former_names(__name__, _present)
