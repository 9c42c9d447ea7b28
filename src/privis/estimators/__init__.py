"""scikit-learn's fit and transform."""

from privis.estimators.transformer import FeatureExtractor
from privis.former_names import former_names

__all__ = ["FeatureExtractor"]

__getattr__ = former_names(__name__)
